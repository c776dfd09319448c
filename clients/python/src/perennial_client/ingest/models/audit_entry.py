from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.audit_entry_action import AuditEntryAction
from typing import cast
import datetime


T = TypeVar("T", bound="AuditEntry")


@_attrs_define
class AuditEntry:
    """Something that happened to a key.

    Attributes:
        action (AuditEntryAction):
        at (datetime.datetime):
        attempts (int):
        by_key_id (None | str):
        key_id (str):
        role (None | str):
        service (str):
        store_id (None | str):
        terminal_id (None | str):
    """

    action: AuditEntryAction
    at: datetime.datetime
    attempts: int
    by_key_id: None | str
    key_id: str
    role: None | str
    service: str
    store_id: None | str
    terminal_id: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        action = self.action.value

        at = self.at.isoformat()

        attempts = self.attempts

        by_key_id: None | str
        by_key_id = self.by_key_id

        key_id = self.key_id

        role: None | str
        role = self.role

        service = self.service

        store_id: None | str
        store_id = self.store_id

        terminal_id: None | str
        terminal_id = self.terminal_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "action": action,
                "at": at,
                "attempts": attempts,
                "by_key_id": by_key_id,
                "key_id": key_id,
                "role": role,
                "service": service,
                "store_id": store_id,
                "terminal_id": terminal_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        action = AuditEntryAction(d.pop("action"))

        at = datetime.datetime.fromisoformat(d.pop("at"))

        attempts = d.pop("attempts")

        def _parse_by_key_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        by_key_id = _parse_by_key_id(d.pop("by_key_id"))

        key_id = d.pop("key_id")

        def _parse_role(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        role = _parse_role(d.pop("role"))

        service = d.pop("service")

        def _parse_store_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        store_id = _parse_store_id(d.pop("store_id"))

        def _parse_terminal_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        terminal_id = _parse_terminal_id(d.pop("terminal_id"))

        audit_entry = cls(
            action=action,
            at=at,
            attempts=attempts,
            by_key_id=by_key_id,
            key_id=key_id,
            role=role,
            service=service,
            store_id=store_id,
            terminal_id=terminal_id,
        )

        audit_entry.additional_properties = d
        return audit_entry

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
