from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from uuid import UUID

if TYPE_CHECKING:
    from ..models.consent_choice import ConsentChoice
    from ..models.source_body import SourceBody
    from ..models.submission_body_answers import SubmissionBodyAnswers


T = TypeVar("T", bound="SubmissionBody")


@_attrs_define
class SubmissionBody:
    """A form as somebody filled it in.

    Attributes:
        answers (SubmissionBodyAnswers):
        submission_id (UUID):
        version (int):
        consents (list[ConsentChoice] | Unset):
        language (None | str | Unset):
        source (SourceBody | Unset): Where it was filled in. Addresses of the internet are not asked for and not kept.
        store_id (None | str | Unset):
    """

    answers: SubmissionBodyAnswers
    submission_id: UUID
    version: int
    consents: list[ConsentChoice] | Unset = UNSET
    language: None | str | Unset = UNSET
    source: SourceBody | Unset = UNSET
    store_id: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.consent_choice import ConsentChoice  # noqa: PLC0415
        from ..models.source_body import SourceBody  # noqa: PLC0415
        from ..models.submission_body_answers import SubmissionBodyAnswers  # noqa: PLC0415

        answers = self.answers.to_dict()

        submission_id = str(self.submission_id)

        version = self.version

        consents: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.consents, Unset):
            consents = []
            for consents_item_data in self.consents:
                consents_item = consents_item_data.to_dict()
                consents.append(consents_item)

        language: None | str | Unset
        if isinstance(self.language, Unset):
            language = UNSET
        else:
            language = self.language

        source: dict[str, Any] | Unset = UNSET
        if not isinstance(self.source, Unset):
            source = self.source.to_dict()

        store_id: None | str | Unset
        if isinstance(self.store_id, Unset):
            store_id = UNSET
        else:
            store_id = self.store_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "answers": answers,
                "submission_id": submission_id,
                "version": version,
            }
        )
        if consents is not UNSET:
            field_dict["consents"] = consents
        if language is not UNSET:
            field_dict["language"] = language
        if source is not UNSET:
            field_dict["source"] = source
        if store_id is not UNSET:
            field_dict["store_id"] = store_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.consent_choice import ConsentChoice  # noqa: PLC0415
        from ..models.source_body import SourceBody  # noqa: PLC0415
        from ..models.submission_body_answers import SubmissionBodyAnswers  # noqa: PLC0415

        d = dict(src_dict)
        answers = SubmissionBodyAnswers.from_dict(d.pop("answers"))

        submission_id = UUID(d.pop("submission_id"))

        version = d.pop("version")

        _consents = d.pop("consents", UNSET)
        consents: list[ConsentChoice] | Unset = UNSET
        if _consents is not UNSET:
            consents = []
            for consents_item_data in _consents:
                consents_item = ConsentChoice.from_dict(consents_item_data)

                consents.append(consents_item)

        def _parse_language(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        language = _parse_language(d.pop("language", UNSET))

        _source = d.pop("source", UNSET)
        source: SourceBody | Unset
        if isinstance(_source, Unset):
            source = UNSET
        else:
            source = SourceBody.from_dict(_source)

        def _parse_store_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        store_id = _parse_store_id(d.pop("store_id", UNSET))

        submission_body = cls(
            answers=answers,
            submission_id=submission_id,
            version=version,
            consents=consents,
            language=language,
            source=source,
            store_id=store_id,
        )

        return submission_body
