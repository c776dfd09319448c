from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.form_body_kind import FormBodyKind
from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.consent_body import ConsentBody
    from ..models.field_body import FieldBody
    from ..models.form_body_texts import FormBodyTexts
    from ..models.sweepstakes_body import SweepstakesBody


T = TypeVar("T", bound="FormBody")


@_attrs_define
class FormBody:
    """A form. Publishing it makes an immutable version: the evidence of what people were told.

    Attributes:
        fields (list[FieldBody]):
        kind (FormBodyKind):
        label (str):
        source (str):
        texts (FormBodyTexts):
        closes_at (datetime.datetime | None | Unset):
        consents (list[ConsentBody] | Unset):
        country (None | str | Unset):
        hosted (bool | Unset):  Default: True.
        opens_at (datetime.datetime | None | Unset):
        previous_valid_minutes (int | Unset):  Default: 60.
        retention_days (int | Unset):  Default: 365.
        sweepstakes (None | SweepstakesBody | Unset):
    """

    fields: list[FieldBody]
    kind: FormBodyKind
    label: str
    source: str
    texts: FormBodyTexts
    closes_at: datetime.datetime | None | Unset = UNSET
    consents: list[ConsentBody] | Unset = UNSET
    country: None | str | Unset = UNSET
    hosted: bool | Unset = True
    opens_at: datetime.datetime | None | Unset = UNSET
    previous_valid_minutes: int | Unset = 60
    retention_days: int | Unset = 365
    sweepstakes: None | SweepstakesBody | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.consent_body import ConsentBody  # noqa: PLC0415
        from ..models.field_body import FieldBody  # noqa: PLC0415
        from ..models.form_body_texts import FormBodyTexts  # noqa: PLC0415
        from ..models.sweepstakes_body import SweepstakesBody  # noqa: PLC0415

        fields = []
        for fields_item_data in self.fields:
            fields_item = fields_item_data.to_dict()
            fields.append(fields_item)

        kind = self.kind.value

        label = self.label

        source = self.source

        texts = self.texts.to_dict()

        closes_at: None | str | Unset
        if isinstance(self.closes_at, Unset):
            closes_at = UNSET
        elif isinstance(self.closes_at, datetime.datetime):
            closes_at = self.closes_at.isoformat()
        else:
            closes_at = self.closes_at

        consents: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.consents, Unset):
            consents = []
            for consents_item_data in self.consents:
                consents_item = consents_item_data.to_dict()
                consents.append(consents_item)

        country: None | str | Unset
        if isinstance(self.country, Unset):
            country = UNSET
        else:
            country = self.country

        hosted = self.hosted

        opens_at: None | str | Unset
        if isinstance(self.opens_at, Unset):
            opens_at = UNSET
        elif isinstance(self.opens_at, datetime.datetime):
            opens_at = self.opens_at.isoformat()
        else:
            opens_at = self.opens_at

        previous_valid_minutes = self.previous_valid_minutes

        retention_days = self.retention_days

        sweepstakes: dict[str, Any] | None | Unset
        if isinstance(self.sweepstakes, Unset):
            sweepstakes = UNSET
        elif isinstance(self.sweepstakes, SweepstakesBody):
            sweepstakes = self.sweepstakes.to_dict()
        else:
            sweepstakes = self.sweepstakes

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "fields": fields,
                "kind": kind,
                "label": label,
                "source": source,
                "texts": texts,
            }
        )
        if closes_at is not UNSET:
            field_dict["closes_at"] = closes_at
        if consents is not UNSET:
            field_dict["consents"] = consents
        if country is not UNSET:
            field_dict["country"] = country
        if hosted is not UNSET:
            field_dict["hosted"] = hosted
        if opens_at is not UNSET:
            field_dict["opens_at"] = opens_at
        if previous_valid_minutes is not UNSET:
            field_dict["previous_valid_minutes"] = previous_valid_minutes
        if retention_days is not UNSET:
            field_dict["retention_days"] = retention_days
        if sweepstakes is not UNSET:
            field_dict["sweepstakes"] = sweepstakes

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.consent_body import ConsentBody  # noqa: PLC0415
        from ..models.field_body import FieldBody  # noqa: PLC0415
        from ..models.form_body_texts import FormBodyTexts  # noqa: PLC0415
        from ..models.sweepstakes_body import SweepstakesBody  # noqa: PLC0415

        d = dict(src_dict)
        fields = []
        _fields = d.pop("fields")
        for fields_item_data in _fields:
            fields_item = FieldBody.from_dict(fields_item_data)

            fields.append(fields_item)

        kind = FormBodyKind(d.pop("kind"))

        label = d.pop("label")

        source = d.pop("source")

        texts = FormBodyTexts.from_dict(d.pop("texts"))

        def _parse_closes_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                closes_at_type_0 = datetime.datetime.fromisoformat(data)

                return closes_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        closes_at = _parse_closes_at(d.pop("closes_at", UNSET))

        _consents = d.pop("consents", UNSET)
        consents: list[ConsentBody] | Unset = UNSET
        if _consents is not UNSET:
            consents = []
            for consents_item_data in _consents:
                consents_item = ConsentBody.from_dict(consents_item_data)

                consents.append(consents_item)

        def _parse_country(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        country = _parse_country(d.pop("country", UNSET))

        hosted = d.pop("hosted", UNSET)

        def _parse_opens_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                opens_at_type_0 = datetime.datetime.fromisoformat(data)

                return opens_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        opens_at = _parse_opens_at(d.pop("opens_at", UNSET))

        previous_valid_minutes = d.pop("previous_valid_minutes", UNSET)

        retention_days = d.pop("retention_days", UNSET)

        def _parse_sweepstakes(data: object) -> None | SweepstakesBody | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                sweepstakes_type_0 = SweepstakesBody.from_dict(data)

                return sweepstakes_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SweepstakesBody | Unset, data)

        sweepstakes = _parse_sweepstakes(d.pop("sweepstakes", UNSET))

        form_body = cls(
            fields=fields,
            kind=kind,
            label=label,
            source=source,
            texts=texts,
            closes_at=closes_at,
            consents=consents,
            country=country,
            hosted=hosted,
            opens_at=opens_at,
            previous_valid_minutes=previous_valid_minutes,
            retention_days=retention_days,
            sweepstakes=sweepstakes,
        )

        return form_body
