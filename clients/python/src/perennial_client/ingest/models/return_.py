from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.original_receipt import OriginalReceipt
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
        original (OriginalReceipt): The natural key of the sale that goods come back from.
        receipt_no (str):
        store_id (str):
        terminal_id (str):
        total_minor (int):
    """

    business_date: datetime.date
    currency: str
    lines: list[ReturnedLine]
    occurred_at: datetime.datetime
    original: OriginalReceipt
    receipt_no: str
    store_id: str
    terminal_id: str
    total_minor: int

    def to_dict(self) -> dict[str, Any]:
        from ..models.original_receipt import OriginalReceipt  # noqa: PLC0415
        from ..models.returned_line import ReturnedLine  # noqa: PLC0415

        business_date = self.business_date.isoformat()

        currency = self.currency

        lines = []
        for lines_item_data in self.lines:
            lines_item = lines_item_data.to_dict()
            lines.append(lines_item)

        occurred_at = self.occurred_at.isoformat()

        original = self.original.to_dict()

        receipt_no = self.receipt_no

        store_id = self.store_id

        terminal_id = self.terminal_id

        total_minor = self.total_minor

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "business_date": business_date,
                "currency": currency,
                "lines": lines,
                "occurred_at": occurred_at,
                "original": original,
                "receipt_no": receipt_no,
                "store_id": store_id,
                "terminal_id": terminal_id,
                "total_minor": total_minor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.original_receipt import OriginalReceipt  # noqa: PLC0415
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

        original = OriginalReceipt.from_dict(d.pop("original"))

        receipt_no = d.pop("receipt_no")

        store_id = d.pop("store_id")

        terminal_id = d.pop("terminal_id")

        total_minor = d.pop("total_minor")

        return_ = cls(
            business_date=business_date,
            currency=currency,
            lines=lines,
            occurred_at=occurred_at,
            original=original,
            receipt_no=receipt_no,
            store_id=store_id,
            terminal_id=terminal_id,
            total_minor=total_minor,
        )

        return return_
