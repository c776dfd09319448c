from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset


T = TypeVar("T", bound="Tender")


@_attrs_define
class Tender:
    """One means of payment.

    Attributes:
        amount_minor (int):
        kind (str):
    """

    amount_minor: int
    kind: str

    def to_dict(self) -> dict[str, Any]:
        amount_minor = self.amount_minor

        kind = self.kind

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "amount_minor": amount_minor,
                "kind": kind,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount_minor = d.pop("amount_minor")

        kind = d.pop("kind")

        tender = cls(
            amount_minor=amount_minor,
            kind=kind,
        )

        return tender
