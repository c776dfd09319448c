from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from uuid import UUID


T = TypeVar("T", bound="TakenBody")


@_attrs_define
class TakenBody:
    """It is committed. The answer is the same whether or not the person is a member.

    Attributes:
        duplicate (bool):
        status_url (str):
        submission_id (UUID):
        status (str | Unset):  Default: 'accepted'.
    """

    duplicate: bool
    status_url: str
    submission_id: UUID
    status: str | Unset = "accepted"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        duplicate = self.duplicate

        status_url = self.status_url

        submission_id = str(self.submission_id)

        status = self.status

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "duplicate": duplicate,
                "status_url": status_url,
                "submission_id": submission_id,
            }
        )
        if status is not UNSET:
            field_dict["status"] = status

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        duplicate = d.pop("duplicate")

        status_url = d.pop("status_url")

        submission_id = UUID(d.pop("submission_id"))

        status = d.pop("status", UNSET)

        taken_body = cls(
            duplicate=duplicate,
            status_url=status_url,
            submission_id=submission_id,
            status=status,
        )

        taken_body.additional_properties = d
        return taken_body

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
