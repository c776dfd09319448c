from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime


T = TypeVar("T", bound="Void")


@_attrs_define
class Void:
    """The sale with this number, undone.

    Attributes:
        business_date (datetime.date):
        occurred_at (datetime.datetime):
        reason (str):
        receipt_no (str):
        store_id (str):
        terminal_id (str):
        terminal_seq (int | None | Unset):
    """

    business_date: datetime.date
    occurred_at: datetime.datetime
    reason: str
    receipt_no: str
    store_id: str
    terminal_id: str
    terminal_seq: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        business_date = self.business_date.isoformat()

        occurred_at = self.occurred_at.isoformat()

        reason = self.reason

        receipt_no = self.receipt_no

        store_id = self.store_id

        terminal_id = self.terminal_id

        terminal_seq: int | None | Unset
        if isinstance(self.terminal_seq, Unset):
            terminal_seq = UNSET
        else:
            terminal_seq = self.terminal_seq

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "business_date": business_date,
                "occurred_at": occurred_at,
                "reason": reason,
                "receipt_no": receipt_no,
                "store_id": store_id,
                "terminal_id": terminal_id,
            }
        )
        if terminal_seq is not UNSET:
            field_dict["terminal_seq"] = terminal_seq

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        business_date = datetime.date.fromisoformat(d.pop("business_date"))

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

        reason = d.pop("reason")

        receipt_no = d.pop("receipt_no")

        store_id = d.pop("store_id")

        terminal_id = d.pop("terminal_id")

        def _parse_terminal_seq(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        terminal_seq = _parse_terminal_seq(d.pop("terminal_seq", UNSET))

        void = cls(
            business_date=business_date,
            occurred_at=occurred_at,
            reason=reason,
            receipt_no=receipt_no,
            store_id=store_id,
            terminal_id=terminal_id,
            terminal_seq=terminal_seq,
        )

        return void
