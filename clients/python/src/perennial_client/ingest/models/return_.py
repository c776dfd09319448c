from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.member_reference import MemberReference
    from ..models.receipt_number import ReceiptNumber
    from ..models.returned_line import ReturnedLine


T = TypeVar("T", bound="Return")


@_attrs_define
class Return:
    """Goods that came back; a receipt of its own that names the original.

    Attributes:
        business_date (datetime.date):
        currency (str):
        lines (list[ReturnedLine]):
        occurred_at (datetime.datetime):
        receipt_no (str):
        store_id (str):
        terminal_id (str):
        total_minor (int):
        member (MemberReference | None | Unset):
        original (None | ReceiptNumber | Unset):
        terminal_seq (int | None | Unset):
    """

    business_date: datetime.date
    currency: str
    lines: list[ReturnedLine]
    occurred_at: datetime.datetime
    receipt_no: str
    store_id: str
    terminal_id: str
    total_minor: int
    member: MemberReference | None | Unset = UNSET
    original: None | ReceiptNumber | Unset = UNSET
    terminal_seq: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.member_reference import MemberReference  # noqa: PLC0415
        from ..models.receipt_number import ReceiptNumber  # noqa: PLC0415
        from ..models.returned_line import ReturnedLine  # noqa: PLC0415

        business_date = self.business_date.isoformat()

        currency = self.currency

        lines = []
        for lines_item_data in self.lines:
            lines_item = lines_item_data.to_dict()
            lines.append(lines_item)

        occurred_at = self.occurred_at.isoformat()

        receipt_no = self.receipt_no

        store_id = self.store_id

        terminal_id = self.terminal_id

        total_minor = self.total_minor

        member: dict[str, Any] | None | Unset
        if isinstance(self.member, Unset):
            member = UNSET
        elif isinstance(self.member, MemberReference):
            member = self.member.to_dict()
        else:
            member = self.member

        original: dict[str, Any] | None | Unset
        if isinstance(self.original, Unset):
            original = UNSET
        elif isinstance(self.original, ReceiptNumber):
            original = self.original.to_dict()
        else:
            original = self.original

        terminal_seq: int | None | Unset
        if isinstance(self.terminal_seq, Unset):
            terminal_seq = UNSET
        else:
            terminal_seq = self.terminal_seq

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "business_date": business_date,
                "currency": currency,
                "lines": lines,
                "occurred_at": occurred_at,
                "receipt_no": receipt_no,
                "store_id": store_id,
                "terminal_id": terminal_id,
                "total_minor": total_minor,
            }
        )
        if member is not UNSET:
            field_dict["member"] = member
        if original is not UNSET:
            field_dict["original"] = original
        if terminal_seq is not UNSET:
            field_dict["terminal_seq"] = terminal_seq

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.member_reference import MemberReference  # noqa: PLC0415
        from ..models.receipt_number import ReceiptNumber  # noqa: PLC0415
        from ..models.returned_line import ReturnedLine  # noqa: PLC0415

        d = dict(src_dict)
        business_date = datetime.date.fromisoformat(d.pop("business_date"))

        currency = d.pop("currency")

        lines = []
        _lines = d.pop("lines")
        for lines_item_data in _lines:
            lines_item = ReturnedLine.from_dict(lines_item_data)

            lines.append(lines_item)

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

        receipt_no = d.pop("receipt_no")

        store_id = d.pop("store_id")

        terminal_id = d.pop("terminal_id")

        total_minor = d.pop("total_minor")

        def _parse_member(data: object) -> MemberReference | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                member_type_0 = MemberReference.from_dict(data)

                return member_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(MemberReference | None | Unset, data)

        member = _parse_member(d.pop("member", UNSET))

        def _parse_original(data: object) -> None | ReceiptNumber | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                original_type_0 = ReceiptNumber.from_dict(data)

                return original_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ReceiptNumber | Unset, data)

        original = _parse_original(d.pop("original", UNSET))

        def _parse_terminal_seq(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        terminal_seq = _parse_terminal_seq(d.pop("terminal_seq", UNSET))

        return_ = cls(
            business_date=business_date,
            currency=currency,
            lines=lines,
            occurred_at=occurred_at,
            receipt_no=receipt_no,
            store_id=store_id,
            terminal_id=terminal_id,
            total_minor=total_minor,
            member=member,
            original=original,
            terminal_seq=terminal_seq,
        )

        return return_
