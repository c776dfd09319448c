from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="DeadLetter")


@_attrs_define
class DeadLetter:
    """An event that could not be applied, or that waits behind one; never its payload.

    Attributes:
        attempts (int):
        closed_at (datetime.datetime | None):
        created_at (datetime.datetime | None):
        detail (str):
        event_id (None | UUID):
        event_type (None | str):
        id (UUID):
        kafka_offset (int):
        partition (int):
        reason (str):
        state (str):
        topic (str):
    """

    attempts: int
    closed_at: datetime.datetime | None
    created_at: datetime.datetime | None
    detail: str
    event_id: None | UUID
    event_type: None | str
    id: UUID
    kafka_offset: int
    partition: int
    reason: str
    state: str
    topic: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        attempts = self.attempts

        closed_at: None | str
        if isinstance(self.closed_at, datetime.datetime):
            closed_at = self.closed_at.isoformat()
        else:
            closed_at = self.closed_at

        created_at: None | str
        if isinstance(self.created_at, datetime.datetime):
            created_at = self.created_at.isoformat()
        else:
            created_at = self.created_at

        detail = self.detail

        event_id: None | str
        if isinstance(self.event_id, UUID):
            event_id = str(self.event_id)
        else:
            event_id = self.event_id

        event_type: None | str
        event_type = self.event_type

        id = str(self.id)

        kafka_offset = self.kafka_offset

        partition = self.partition

        reason = self.reason

        state = self.state

        topic = self.topic

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "attempts": attempts,
                "closed_at": closed_at,
                "created_at": created_at,
                "detail": detail,
                "event_id": event_id,
                "event_type": event_type,
                "id": id,
                "kafka_offset": kafka_offset,
                "partition": partition,
                "reason": reason,
                "state": state,
                "topic": topic,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        attempts = d.pop("attempts")

        def _parse_closed_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                closed_at_type_0 = datetime.datetime.fromisoformat(data)

                return closed_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        closed_at = _parse_closed_at(d.pop("closed_at"))

        def _parse_created_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                created_at_type_0 = datetime.datetime.fromisoformat(data)

                return created_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        created_at = _parse_created_at(d.pop("created_at"))

        detail = d.pop("detail")

        def _parse_event_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                event_id_type_0 = UUID(data)

                return event_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        event_id = _parse_event_id(d.pop("event_id"))

        def _parse_event_type(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        event_type = _parse_event_type(d.pop("event_type"))

        id = UUID(d.pop("id"))

        kafka_offset = d.pop("kafka_offset")

        partition = d.pop("partition")

        reason = d.pop("reason")

        state = d.pop("state")

        topic = d.pop("topic")

        dead_letter = cls(
            attempts=attempts,
            closed_at=closed_at,
            created_at=created_at,
            detail=detail,
            event_id=event_id,
            event_type=event_type,
            id=id,
            kafka_offset=kafka_offset,
            partition=partition,
            reason=reason,
            state=state,
            topic=topic,
        )

        dead_letter.additional_properties = d
        return dead_letter

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
