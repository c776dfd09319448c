from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.import_view_state import ImportViewState
from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="ImportView")


@_attrs_define
class ImportView:
    """One uploaded file and how far it has come. Of a dry run, what applying it would come to.

    Attributes:
        bytes_read (int):
        created_at (datetime.datetime):
        dry_run (bool):
        ended_at (datetime.datetime | None):
        import_id (UUID):
        kind (str):
        problems (int):
        problems_url (str):
        rows_applied (int):
        rows_invalid (int):
        rows_left (int):
        rows_read (int):
        rows_unchanged (int):
        rows_valid (int):
        state (ImportViewState):
    """

    bytes_read: int
    created_at: datetime.datetime
    dry_run: bool
    ended_at: datetime.datetime | None
    import_id: UUID
    kind: str
    problems: int
    problems_url: str
    rows_applied: int
    rows_invalid: int
    rows_left: int
    rows_read: int
    rows_unchanged: int
    rows_valid: int
    state: ImportViewState
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        bytes_read = self.bytes_read

        created_at = self.created_at.isoformat()

        dry_run = self.dry_run

        ended_at: None | str
        if isinstance(self.ended_at, datetime.datetime):
            ended_at = self.ended_at.isoformat()
        else:
            ended_at = self.ended_at

        import_id = str(self.import_id)

        kind = self.kind

        problems = self.problems

        problems_url = self.problems_url

        rows_applied = self.rows_applied

        rows_invalid = self.rows_invalid

        rows_left = self.rows_left

        rows_read = self.rows_read

        rows_unchanged = self.rows_unchanged

        rows_valid = self.rows_valid

        state = self.state.value

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "bytes_read": bytes_read,
                "created_at": created_at,
                "dry_run": dry_run,
                "ended_at": ended_at,
                "import_id": import_id,
                "kind": kind,
                "problems": problems,
                "problems_url": problems_url,
                "rows_applied": rows_applied,
                "rows_invalid": rows_invalid,
                "rows_left": rows_left,
                "rows_read": rows_read,
                "rows_unchanged": rows_unchanged,
                "rows_valid": rows_valid,
                "state": state,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        bytes_read = d.pop("bytes_read")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        dry_run = d.pop("dry_run")

        def _parse_ended_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                ended_at_type_0 = datetime.datetime.fromisoformat(data)

                return ended_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        ended_at = _parse_ended_at(d.pop("ended_at"))

        import_id = UUID(d.pop("import_id"))

        kind = d.pop("kind")

        problems = d.pop("problems")

        problems_url = d.pop("problems_url")

        rows_applied = d.pop("rows_applied")

        rows_invalid = d.pop("rows_invalid")

        rows_left = d.pop("rows_left")

        rows_read = d.pop("rows_read")

        rows_unchanged = d.pop("rows_unchanged")

        rows_valid = d.pop("rows_valid")

        state = ImportViewState(d.pop("state"))

        import_view = cls(
            bytes_read=bytes_read,
            created_at=created_at,
            dry_run=dry_run,
            ended_at=ended_at,
            import_id=import_id,
            kind=kind,
            problems=problems,
            problems_url=problems_url,
            rows_applied=rows_applied,
            rows_invalid=rows_invalid,
            rows_left=rows_left,
            rows_read=rows_read,
            rows_unchanged=rows_unchanged,
            rows_valid=rows_valid,
            state=state,
        )

        import_view.additional_properties = d
        return import_view

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
