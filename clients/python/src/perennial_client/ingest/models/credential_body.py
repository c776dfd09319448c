from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.credential_body_role import CredentialBodyRole
from ..types import UNSET, Unset
from typing import cast
import datetime


T = TypeVar("T", bound="CredentialBody")


@_attrs_define
class CredentialBody:
    """A key to make.

    Attributes:
        label (str):
        role (CredentialBodyRole):
        expires_at (datetime.datetime | None | Unset):
        not_before (datetime.datetime | None | Unset):
        store_id (None | str | Unset):
        terminal_id (None | str | Unset):
    """

    label: str
    role: CredentialBodyRole
    expires_at: datetime.datetime | None | Unset = UNSET
    not_before: datetime.datetime | None | Unset = UNSET
    store_id: None | str | Unset = UNSET
    terminal_id: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        label = self.label

        role = self.role.value

        expires_at: None | str | Unset
        if isinstance(self.expires_at, Unset):
            expires_at = UNSET
        elif isinstance(self.expires_at, datetime.datetime):
            expires_at = self.expires_at.isoformat()
        else:
            expires_at = self.expires_at

        not_before: None | str | Unset
        if isinstance(self.not_before, Unset):
            not_before = UNSET
        elif isinstance(self.not_before, datetime.datetime):
            not_before = self.not_before.isoformat()
        else:
            not_before = self.not_before

        store_id: None | str | Unset
        if isinstance(self.store_id, Unset):
            store_id = UNSET
        else:
            store_id = self.store_id

        terminal_id: None | str | Unset
        if isinstance(self.terminal_id, Unset):
            terminal_id = UNSET
        else:
            terminal_id = self.terminal_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "label": label,
                "role": role,
            }
        )
        if expires_at is not UNSET:
            field_dict["expires_at"] = expires_at
        if not_before is not UNSET:
            field_dict["not_before"] = not_before
        if store_id is not UNSET:
            field_dict["store_id"] = store_id
        if terminal_id is not UNSET:
            field_dict["terminal_id"] = terminal_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        label = d.pop("label")

        role = CredentialBodyRole(d.pop("role"))

        def _parse_expires_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                expires_at_type_0 = datetime.datetime.fromisoformat(data)

                return expires_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        expires_at = _parse_expires_at(d.pop("expires_at", UNSET))

        def _parse_not_before(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                not_before_type_0 = datetime.datetime.fromisoformat(data)

                return not_before_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        not_before = _parse_not_before(d.pop("not_before", UNSET))

        def _parse_store_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        store_id = _parse_store_id(d.pop("store_id", UNSET))

        def _parse_terminal_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        terminal_id = _parse_terminal_id(d.pop("terminal_id", UNSET))

        credential_body = cls(
            label=label,
            role=role,
            expires_at=expires_at,
            not_before=not_before,
            store_id=store_id,
            terminal_id=terminal_id,
        )

        return credential_body
