from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.submission_status_status import SubmissionStatusStatus
from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="SubmissionStatus")


@_attrs_define
class SubmissionStatus:
    """How far a submission has come.

    Attributes:
        failure (None | str):
        form_id (str):
        member_id (None | UUID):
        received_at (datetime.datetime):
        status (SubmissionStatusStatus):
        submission_id (UUID):
        version (int):
    """

    failure: None | str
    form_id: str
    member_id: None | UUID
    received_at: datetime.datetime
    status: SubmissionStatusStatus
    submission_id: UUID
    version: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        failure: None | str
        failure = self.failure

        form_id = self.form_id

        member_id: None | str
        if isinstance(self.member_id, UUID):
            member_id = str(self.member_id)
        else:
            member_id = self.member_id

        received_at = self.received_at.isoformat()

        status = self.status.value

        submission_id = str(self.submission_id)

        version = self.version

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "failure": failure,
                "form_id": form_id,
                "member_id": member_id,
                "received_at": received_at,
                "status": status,
                "submission_id": submission_id,
                "version": version,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_failure(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        failure = _parse_failure(d.pop("failure"))

        form_id = d.pop("form_id")

        def _parse_member_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                member_id_type_0 = UUID(data)

                return member_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        member_id = _parse_member_id(d.pop("member_id"))

        received_at = datetime.datetime.fromisoformat(d.pop("received_at"))

        status = SubmissionStatusStatus(d.pop("status"))

        submission_id = UUID(d.pop("submission_id"))

        version = d.pop("version")

        submission_status = cls(
            failure=failure,
            form_id=form_id,
            member_id=member_id,
            received_at=received_at,
            status=status,
            submission_id=submission_id,
            version=version,
        )

        submission_status.additional_properties = d
        return submission_status

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
