from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast


T = TypeVar("T", bound="Line")


@_attrs_define
class Line:
    """One line, its fields in the order of ``contracts.purchases.ReceiptLine``.

    Attributes:
        amount_minor (int):
        line_no (int):
        quantity (float | str):
        sku (str):
        category (None | str | Unset):
        description (None | str | Unset):
        discount_minor (int | Unset):  Default: 0.
        unit_price_minor (int | Unset):  Default: 0.
    """

    amount_minor: int
    line_no: int
    quantity: float | str
    sku: str
    category: None | str | Unset = UNSET
    description: None | str | Unset = UNSET
    discount_minor: int | Unset = 0
    unit_price_minor: int | Unset = 0

    def to_dict(self) -> dict[str, Any]:
        amount_minor = self.amount_minor

        line_no = self.line_no

        quantity: float | str
        quantity = self.quantity

        sku = self.sku

        category: None | str | Unset
        if isinstance(self.category, Unset):
            category = UNSET
        else:
            category = self.category

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        discount_minor = self.discount_minor

        unit_price_minor = self.unit_price_minor

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "amount_minor": amount_minor,
                "line_no": line_no,
                "quantity": quantity,
                "sku": sku,
            }
        )
        if category is not UNSET:
            field_dict["category"] = category
        if description is not UNSET:
            field_dict["description"] = description
        if discount_minor is not UNSET:
            field_dict["discount_minor"] = discount_minor
        if unit_price_minor is not UNSET:
            field_dict["unit_price_minor"] = unit_price_minor

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount_minor = d.pop("amount_minor")

        line_no = d.pop("line_no")

        def _parse_quantity(data: object) -> float | str:
            return cast(float | str, data)

        quantity = _parse_quantity(d.pop("quantity"))

        sku = d.pop("sku")

        def _parse_category(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        category = _parse_category(d.pop("category", UNSET))

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        discount_minor = d.pop("discount_minor", UNSET)

        unit_price_minor = d.pop("unit_price_minor", UNSET)

        line = cls(
            amount_minor=amount_minor,
            line_no=line_no,
            quantity=quantity,
            sku=sku,
            category=category,
            description=description,
            discount_minor=discount_minor,
            unit_price_minor=unit_price_minor,
        )

        return line
