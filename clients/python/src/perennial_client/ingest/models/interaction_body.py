from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.interaction_body_kind import InteractionBodyKind
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.interaction_body_properties import InteractionBodyProperties
    from ..models.member_reference import MemberReference


T = TypeVar("T", bound="InteractionBody")


@_attrs_define
class InteractionBody:
    """One contact with a person. What was said belongs into insight's notes, not here.

    Attributes:
        interaction_id (UUID):
        kind (InteractionBodyKind):
        occurred_at (datetime.datetime):
        member (MemberReference | None | Unset):
        properties (InteractionBodyProperties | Unset):
        reference (None | str | Unset):
        store_id (None | str | Unset):
    """

    interaction_id: UUID
    kind: InteractionBodyKind
    occurred_at: datetime.datetime
    member: MemberReference | None | Unset = UNSET
    properties: InteractionBodyProperties | Unset = UNSET
    reference: None | str | Unset = UNSET
    store_id: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.interaction_body_properties import InteractionBodyProperties  # noqa: PLC0415
        from ..models.member_reference import MemberReference  # noqa: PLC0415

        interaction_id = str(self.interaction_id)

        kind = self.kind.value

        occurred_at = self.occurred_at.isoformat()

        member: dict[str, Any] | None | Unset
        if isinstance(self.member, Unset):
            member = UNSET
        elif isinstance(self.member, MemberReference):
            member = self.member.to_dict()
        else:
            member = self.member

        properties: dict[str, Any] | Unset = UNSET
        if not isinstance(self.properties, Unset):
            properties = self.properties.to_dict()

        reference: None | str | Unset
        if isinstance(self.reference, Unset):
            reference = UNSET
        else:
            reference = self.reference

        store_id: None | str | Unset
        if isinstance(self.store_id, Unset):
            store_id = UNSET
        else:
            store_id = self.store_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "interaction_id": interaction_id,
                "kind": kind,
                "occurred_at": occurred_at,
            }
        )
        if member is not UNSET:
            field_dict["member"] = member
        if properties is not UNSET:
            field_dict["properties"] = properties
        if reference is not UNSET:
            field_dict["reference"] = reference
        if store_id is not UNSET:
            field_dict["store_id"] = store_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.interaction_body_properties import InteractionBodyProperties  # noqa: PLC0415
        from ..models.member_reference import MemberReference  # noqa: PLC0415

        d = dict(src_dict)
        interaction_id = UUID(d.pop("interaction_id"))

        kind = InteractionBodyKind(d.pop("kind"))

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

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

        _properties = d.pop("properties", UNSET)
        properties: InteractionBodyProperties | Unset
        if isinstance(_properties, Unset):
            properties = UNSET
        else:
            properties = InteractionBodyProperties.from_dict(_properties)

        def _parse_reference(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        reference = _parse_reference(d.pop("reference", UNSET))

        def _parse_store_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        store_id = _parse_store_id(d.pop("store_id", UNSET))

        interaction_body = cls(
            interaction_id=interaction_id,
            kind=kind,
            occurred_at=occurred_at,
            member=member,
            properties=properties,
            reference=reference,
            store_id=store_id,
        )

        return interaction_body
