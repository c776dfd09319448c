from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
    from ..models.interaction_body import InteractionBody


T = TypeVar("T", bound="InteractionsBody")


@_attrs_define
class InteractionsBody:
    """Up to 500 interactions; all are read before any is recorded.

    Attributes:
        interactions (list[InteractionBody]):
    """

    interactions: list[InteractionBody]

    def to_dict(self) -> dict[str, Any]:
        from ..models.interaction_body import InteractionBody  # noqa: PLC0415

        interactions = []
        for interactions_item_data in self.interactions:
            interactions_item = interactions_item_data.to_dict()
            interactions.append(interactions_item)

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "interactions": interactions,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.interaction_body import InteractionBody  # noqa: PLC0415

        d = dict(src_dict)
        interactions = []
        _interactions = d.pop("interactions")
        for interactions_item_data in _interactions:
            interactions_item = InteractionBody.from_dict(interactions_item_data)

            interactions.append(interactions_item)

        interactions_body = cls(
            interactions=interactions,
        )

        return interactions_body
