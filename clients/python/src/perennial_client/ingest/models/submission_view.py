from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.submission_view_status import SubmissionViewStatus
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.consent_choice import ConsentChoice
    from ..models.submission_view_answers_type_0 import SubmissionViewAnswersType0
    from ..models.submission_view_source_type_0 import SubmissionViewSourceType0


T = TypeVar("T", bound="SubmissionView")


@_attrs_define
class SubmissionView:
    """All of a submission.

    Attributes:
        answers (None | SubmissionViewAnswersType0):
        consents (list[ConsentChoice]):
        failure (None | str):
        form_id (str):
        language (str):
        member_id (None | UUID):
        received_at (datetime.datetime):
        source (None | SubmissionViewSourceType0):
        status (SubmissionViewStatus):
        store_id (None | str):
        submission_id (UUID):
        terminal_id (None | str):
        version (int):
        via (str):
    """

    answers: None | SubmissionViewAnswersType0
    consents: list[ConsentChoice]
    failure: None | str
    form_id: str
    language: str
    member_id: None | UUID
    received_at: datetime.datetime
    source: None | SubmissionViewSourceType0
    status: SubmissionViewStatus
    store_id: None | str
    submission_id: UUID
    terminal_id: None | str
    version: int
    via: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.consent_choice import ConsentChoice  # noqa: PLC0415
        from ..models.submission_view_answers_type_0 import SubmissionViewAnswersType0  # noqa: PLC0415
        from ..models.submission_view_source_type_0 import SubmissionViewSourceType0  # noqa: PLC0415

        answers: dict[str, Any] | None
        if isinstance(self.answers, SubmissionViewAnswersType0):
            answers = self.answers.to_dict()
        else:
            answers = self.answers

        consents = []
        for consents_item_data in self.consents:
            consents_item = consents_item_data.to_dict()
            consents.append(consents_item)

        failure: None | str
        failure = self.failure

        form_id = self.form_id

        language = self.language

        member_id: None | str
        if isinstance(self.member_id, UUID):
            member_id = str(self.member_id)
        else:
            member_id = self.member_id

        received_at = self.received_at.isoformat()

        source: dict[str, Any] | None
        if isinstance(self.source, SubmissionViewSourceType0):
            source = self.source.to_dict()
        else:
            source = self.source

        status = self.status.value

        store_id: None | str
        store_id = self.store_id

        submission_id = str(self.submission_id)

        terminal_id: None | str
        terminal_id = self.terminal_id

        version = self.version

        via = self.via

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "answers": answers,
                "consents": consents,
                "failure": failure,
                "form_id": form_id,
                "language": language,
                "member_id": member_id,
                "received_at": received_at,
                "source": source,
                "status": status,
                "store_id": store_id,
                "submission_id": submission_id,
                "terminal_id": terminal_id,
                "version": version,
                "via": via,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.consent_choice import ConsentChoice  # noqa: PLC0415
        from ..models.submission_view_answers_type_0 import SubmissionViewAnswersType0  # noqa: PLC0415
        from ..models.submission_view_source_type_0 import SubmissionViewSourceType0  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_answers(data: object) -> None | SubmissionViewAnswersType0:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                answers_type_0 = SubmissionViewAnswersType0.from_dict(data)

                return answers_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SubmissionViewAnswersType0, data)

        answers = _parse_answers(d.pop("answers"))

        consents = []
        _consents = d.pop("consents")
        for consents_item_data in _consents:
            consents_item = ConsentChoice.from_dict(consents_item_data)

            consents.append(consents_item)

        def _parse_failure(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        failure = _parse_failure(d.pop("failure"))

        form_id = d.pop("form_id")

        language = d.pop("language")

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

        def _parse_source(data: object) -> None | SubmissionViewSourceType0:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                source_type_0 = SubmissionViewSourceType0.from_dict(data)

                return source_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SubmissionViewSourceType0, data)

        source = _parse_source(d.pop("source"))

        status = SubmissionViewStatus(d.pop("status"))

        def _parse_store_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        store_id = _parse_store_id(d.pop("store_id"))

        submission_id = UUID(d.pop("submission_id"))

        def _parse_terminal_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        terminal_id = _parse_terminal_id(d.pop("terminal_id"))

        version = d.pop("version")

        via = d.pop("via")

        submission_view = cls(
            answers=answers,
            consents=consents,
            failure=failure,
            form_id=form_id,
            language=language,
            member_id=member_id,
            received_at=received_at,
            source=source,
            status=status,
            store_id=store_id,
            submission_id=submission_id,
            terminal_id=terminal_id,
            version=version,
            via=via,
        )

        submission_view.additional_properties = d
        return submission_view

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
