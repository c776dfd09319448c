from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.event_status_status import EventStatusStatus
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.event_status_services import EventStatusServices


T = TypeVar("T", bound="EventStatus")


@_attrs_define
class EventStatus:
    """How far a purchase, or what happened to it after, has come.

    Attributes:
        accepted_at (datetime.datetime):
        event_id (UUID):
        kind (str):
        published_at (datetime.datetime | None):
        services (EventStatusServices):
        status (EventStatusStatus):
        detail (None | str | Unset):
    """

    accepted_at: datetime.datetime
    event_id: UUID
    kind: str
    published_at: datetime.datetime | None
    services: EventStatusServices
    status: EventStatusStatus
    detail: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.event_status_services import EventStatusServices  # noqa: PLC0415

        accepted_at = self.accepted_at.isoformat()

        event_id = str(self.event_id)

        kind = self.kind

        published_at: None | str
        if isinstance(self.published_at, datetime.datetime):
            published_at = self.published_at.isoformat()
        else:
            published_at = self.published_at

        services = self.services.to_dict()

        status = self.status.value

        detail: None | str | Unset
        if isinstance(self.detail, Unset):
            detail = UNSET
        else:
            detail = self.detail

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "accepted_at": accepted_at,
                "event_id": event_id,
                "kind": kind,
                "published_at": published_at,
                "services": services,
                "status": status,
            }
        )
        if detail is not UNSET:
            field_dict["detail"] = detail

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event_status_services import EventStatusServices  # noqa: PLC0415

        d = dict(src_dict)
        accepted_at = datetime.datetime.fromisoformat(d.pop("accepted_at"))

        event_id = UUID(d.pop("event_id"))

        kind = d.pop("kind")

        def _parse_published_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                published_at_type_0 = datetime.datetime.fromisoformat(data)

                return published_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        published_at = _parse_published_at(d.pop("published_at"))

        services = EventStatusServices.from_dict(d.pop("services"))

        status = EventStatusStatus(d.pop("status"))

        def _parse_detail(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        detail = _parse_detail(d.pop("detail", UNSET))

        event_status = cls(
            accepted_at=accepted_at,
            event_id=event_id,
            kind=kind,
            published_at=published_at,
            services=services,
            status=status,
            detail=detail,
        )

        event_status.additional_properties = d
        return event_status

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
