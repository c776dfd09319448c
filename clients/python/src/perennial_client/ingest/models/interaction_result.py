from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.interaction_result_outcome import InteractionResultOutcome
from uuid import UUID


T = TypeVar("T", bound="InteractionResult")


@_attrs_define
class InteractionResult:
    """What became of one.

    Attributes:
        interaction_id (UUID):
        outcome (InteractionResultOutcome):
    """

    interaction_id: UUID
    outcome: InteractionResultOutcome
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        interaction_id = str(self.interaction_id)

        outcome = self.outcome.value

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "interaction_id": interaction_id,
                "outcome": outcome,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        interaction_id = UUID(d.pop("interaction_id"))

        outcome = InteractionResultOutcome(d.pop("outcome"))

        interaction_result = cls(
            interaction_id=interaction_id,
            outcome=outcome,
        )

        interaction_result.additional_properties = d
        return interaction_result

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
