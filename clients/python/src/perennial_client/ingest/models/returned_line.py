from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast


T = TypeVar("T", bound="ReturnedLine")


@_attrs_define
class ReturnedLine:
    """What comes back of one line of the sale.

    Attributes:
        amount_minor (int):
        line_no (int):
        quantity (float | str):
    """

    amount_minor: int
    line_no: int
    quantity: float | str

    def to_dict(self) -> dict[str, Any]:
        amount_minor = self.amount_minor

        line_no = self.line_no

        quantity: float | str
        quantity = self.quantity

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "amount_minor": amount_minor,
                "line_no": line_no,
                "quantity": quantity,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount_minor = d.pop("amount_minor")

        line_no = d.pop("line_no")

        def _parse_quantity(data: object) -> float | str:
            return cast(float | str, data)

        quantity = _parse_quantity(d.pop("quantity"))

        returned_line = cls(
            amount_minor=amount_minor,
            line_no=line_no,
            quantity=quantity,
        )

        return returned_line
