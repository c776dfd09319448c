from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.exception_item_kind import ExceptionItemKind
from ..models.exception_item_problem import ExceptionItemProblem
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.number import Number


T = TypeVar("T", bound="ExceptionItem")


@_attrs_define
class ExceptionItem:
    """A return, void or amendment that did not reach its sale.

    Attributes:
        currency (None | str):
        detail (None | str):
        event_id (UUID):
        kind (ExceptionItemKind):
        occurred_at (datetime.datetime):
        original (None | Number):
        problem (ExceptionItemProblem):
        receipt (Number): The natural key of a receipt.
        received_at (datetime.datetime):
        total_minor (int | None):
    """

    currency: None | str
    detail: None | str
    event_id: UUID
    kind: ExceptionItemKind
    occurred_at: datetime.datetime
    original: None | Number
    problem: ExceptionItemProblem
    receipt: Number
    received_at: datetime.datetime
    total_minor: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.number import Number  # noqa: PLC0415

        currency: None | str
        currency = self.currency

        detail: None | str
        detail = self.detail

        event_id = str(self.event_id)

        kind = self.kind.value

        occurred_at = self.occurred_at.isoformat()

        original: dict[str, Any] | None
        if isinstance(self.original, Number):
            original = self.original.to_dict()
        else:
            original = self.original

        problem = self.problem.value

        receipt = self.receipt.to_dict()

        received_at = self.received_at.isoformat()

        total_minor: int | None
        total_minor = self.total_minor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "currency": currency,
                "detail": detail,
                "event_id": event_id,
                "kind": kind,
                "occurred_at": occurred_at,
                "original": original,
                "problem": problem,
                "receipt": receipt,
                "received_at": received_at,
                "total_minor": total_minor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.number import Number  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_currency(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        currency = _parse_currency(d.pop("currency"))

        def _parse_detail(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        detail = _parse_detail(d.pop("detail"))

        event_id = UUID(d.pop("event_id"))

        kind = ExceptionItemKind(d.pop("kind"))

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

        def _parse_original(data: object) -> None | Number:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                original_type_0 = Number.from_dict(data)

                return original_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Number, data)

        original = _parse_original(d.pop("original"))

        problem = ExceptionItemProblem(d.pop("problem"))

        receipt = Number.from_dict(d.pop("receipt"))

        received_at = datetime.datetime.fromisoformat(d.pop("received_at"))

        def _parse_total_minor(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        total_minor = _parse_total_minor(d.pop("total_minor"))

        exception_item = cls(
            currency=currency,
            detail=detail,
            event_id=event_id,
            kind=kind,
            occurred_at=occurred_at,
            original=original,
            problem=problem,
            receipt=receipt,
            received_at=received_at,
            total_minor=total_minor,
        )

        exception_item.additional_properties = d
        return exception_item

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
