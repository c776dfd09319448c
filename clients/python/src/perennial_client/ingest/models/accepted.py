from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.accepted_status import AcceptedStatus
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID


T = TypeVar("T", bound="Accepted")


@_attrs_define
class Accepted:
    """It is committed, and will be published.

    Attributes:
        event_id (UUID):
        status_url (str):
        claim_token (None | str | Unset):
        duplicate (bool | Unset):  Default: False.
        status (AcceptedStatus | Unset):  Default: AcceptedStatus.ACCEPTED.
    """

    event_id: UUID
    status_url: str
    claim_token: None | str | Unset = UNSET
    duplicate: bool | Unset = False
    status: AcceptedStatus | Unset = AcceptedStatus.ACCEPTED
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        event_id = str(self.event_id)

        status_url = self.status_url

        claim_token: None | str | Unset
        if isinstance(self.claim_token, Unset):
            claim_token = UNSET
        else:
            claim_token = self.claim_token

        duplicate = self.duplicate

        status: str | Unset = UNSET
        if not isinstance(self.status, Unset):
            status = self.status.value

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "event_id": event_id,
                "status_url": status_url,
            }
        )
        if claim_token is not UNSET:
            field_dict["claim_token"] = claim_token
        if duplicate is not UNSET:
            field_dict["duplicate"] = duplicate
        if status is not UNSET:
            field_dict["status"] = status

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        event_id = UUID(d.pop("event_id"))

        status_url = d.pop("status_url")

        def _parse_claim_token(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        claim_token = _parse_claim_token(d.pop("claim_token", UNSET))

        duplicate = d.pop("duplicate", UNSET)

        _status = d.pop("status", UNSET)
        status: AcceptedStatus | Unset
        if isinstance(_status, Unset):
            status = UNSET
        else:
            status = AcceptedStatus(_status)

        accepted = cls(
            event_id=event_id,
            status_url=status_url,
            claim_token=claim_token,
            duplicate=duplicate,
            status=status,
        )

        accepted.additional_properties = d
        return accepted

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
