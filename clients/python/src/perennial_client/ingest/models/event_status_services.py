from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.event_status_services_additional_property import (
    EventStatusServicesAdditionalProperty,
)


T = TypeVar("T", bound="EventStatusServices")


@_attrs_define
class EventStatusServices:
    additional_properties: dict[str, EventStatusServicesAdditionalProperty] = (
        _attrs_field(init=False, factory=dict)
    )

    def to_dict(self) -> dict[str, Any]:

        field_dict: dict[str, Any] = {}
        for prop_name, prop in self.additional_properties.items():
            field_dict[prop_name] = prop.value

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        event_status_services = cls()

        additional_properties = {}
        for prop_name, prop_dict in d.items():
            additional_property = EventStatusServicesAdditionalProperty(prop_dict)

            additional_properties[prop_name] = additional_property

        event_status_services.additional_properties = additional_properties
        return event_status_services

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> EventStatusServicesAdditionalProperty:
        return self.additional_properties[key]

    def __setitem__(
        self, key: str, value: EventStatusServicesAdditionalProperty
    ) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
