from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.review_state import ReviewState
from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="Review")


@_attrs_define
class Review:
    """A receipt that came late, and what was decided.

    Attributes:
        business_date (datetime.date):
        currency (str):
        decided_at (datetime.datetime | None):
        decided_by (None | str):
        event_id (UUID):
        member_id (None | UUID):
        note (None | str):
        occurred_at (datetime.datetime):
        receipt_id (UUID):
        receipt_no (str):
        received_at (datetime.datetime):
        state (ReviewState):
        store_id (str):
        terminal_id (str):
        total_minor (int):
    """

    business_date: datetime.date
    currency: str
    decided_at: datetime.datetime | None
    decided_by: None | str
    event_id: UUID
    member_id: None | UUID
    note: None | str
    occurred_at: datetime.datetime
    receipt_id: UUID
    receipt_no: str
    received_at: datetime.datetime
    state: ReviewState
    store_id: str
    terminal_id: str
    total_minor: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        business_date = self.business_date.isoformat()

        currency = self.currency

        decided_at: None | str
        if isinstance(self.decided_at, datetime.datetime):
            decided_at = self.decided_at.isoformat()
        else:
            decided_at = self.decided_at

        decided_by: None | str
        decided_by = self.decided_by

        event_id = str(self.event_id)

        member_id: None | str
        if isinstance(self.member_id, UUID):
            member_id = str(self.member_id)
        else:
            member_id = self.member_id

        note: None | str
        note = self.note

        occurred_at = self.occurred_at.isoformat()

        receipt_id = str(self.receipt_id)

        receipt_no = self.receipt_no

        received_at = self.received_at.isoformat()

        state = self.state.value

        store_id = self.store_id

        terminal_id = self.terminal_id

        total_minor = self.total_minor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "business_date": business_date,
                "currency": currency,
                "decided_at": decided_at,
                "decided_by": decided_by,
                "event_id": event_id,
                "member_id": member_id,
                "note": note,
                "occurred_at": occurred_at,
                "receipt_id": receipt_id,
                "receipt_no": receipt_no,
                "received_at": received_at,
                "state": state,
                "store_id": store_id,
                "terminal_id": terminal_id,
                "total_minor": total_minor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        business_date = datetime.date.fromisoformat(d.pop("business_date"))

        currency = d.pop("currency")

        def _parse_decided_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                decided_at_type_0 = datetime.datetime.fromisoformat(data)

                return decided_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        decided_at = _parse_decided_at(d.pop("decided_at"))

        def _parse_decided_by(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        decided_by = _parse_decided_by(d.pop("decided_by"))

        event_id = UUID(d.pop("event_id"))

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

        def _parse_note(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        note = _parse_note(d.pop("note"))

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

        receipt_id = UUID(d.pop("receipt_id"))

        receipt_no = d.pop("receipt_no")

        received_at = datetime.datetime.fromisoformat(d.pop("received_at"))

        state = ReviewState(d.pop("state"))

        store_id = d.pop("store_id")

        terminal_id = d.pop("terminal_id")

        total_minor = d.pop("total_minor")

        review = cls(
            business_date=business_date,
            currency=currency,
            decided_at=decided_at,
            decided_by=decided_by,
            event_id=event_id,
            member_id=member_id,
            note=note,
            occurred_at=occurred_at,
            receipt_id=receipt_id,
            receipt_no=receipt_no,
            received_at=received_at,
            state=state,
            store_id=store_id,
            terminal_id=terminal_id,
            total_minor=total_minor,
        )

        review.additional_properties = d
        return review

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
