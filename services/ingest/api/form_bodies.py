"""A form as it is written down: what it asks, in which words, and its limits."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.api.fields import Code, Instant, Label, time_zone
from services.ingest.domain import forms as domain
from shared.contracts.interactions import Purpose
from shared.contracts.messages import Channel
from shared.http.models import Request

LANGUAGES_MAX = 20
FIELDS_MAX = 30
CONSENTS_MAX = 20
OPTIONS_MAX = 50
TEXT_MAX_CHARS = 4_000
"""Of an answer of kind ``text``, an introduction or a thank-you."""

FORM_ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
FormId = Annotated[str, Field(pattern=FORM_ID)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")]
Passage = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS, pattern=r"^[^\x00]*$")]
Link = Annotated[str, Field(max_length=500, pattern=r"^https://[^\s\x00-\x1f\x7f]+$")]
Labels = Annotated[dict[Language, Label], Field(min_length=1, max_length=LANGUAGES_MAX)]
"""By language."""


class Texts(Request):
    """What is said around the fields, in one language; plain text, blank lines part paragraphs."""

    title: Label
    intro: Annotated[str, Field(max_length=TEXT_MAX_CHARS, pattern=r"^[^\x00]*$")] = ""
    submit: Label
    """On the button."""
    thanks: Passage
    """After it was sent."""
    privacy_url: Link | None = None
    """The shop's privacy notice, shown as a link."""


class Option(Request):
    """One answer of a choice."""

    value: Code
    label: Labels


class FieldBody(Request):
    """One question. A form has at most one field of each kind but ``choice`` and ``text``."""

    name: Name
    kind: domain.FieldKind
    required: bool = False
    label: Labels
    hint: Annotated[dict[Language, Label], Field(max_length=LANGUAGES_MAX)] = Field(
        default_factory=dict
    )
    options: Annotated[tuple[Option, ...], Field(max_length=OPTIONS_MAX)] = ()
    """Of a choice. A single one is a box to tick: "I have read the rules"."""
    chars_max: Annotated[int, Field(strict=True, ge=1, le=TEXT_MAX_CHARS)] = 1_000
    """Of a text."""

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> Self:
        values = [option.value for option in self.options]
        if (self.kind == "choice") != bool(values):
            raise PydanticCustomError("options", "a choice has options, and nothing else has")
        if len(set(values)) < len(values):
            raise PydanticCustomError("options", "an option comes more than once")
        return self


class ConsentBody(Request):
    """A box that may be ticked, never a condition: one purpose, one channel, the exact words."""

    purpose: Purpose
    channel: Channel
    wording: Annotated[dict[Language, Passage], Field(min_length=1, max_length=LANGUAGES_MAX)]


class SweepstakesBody(Request):
    """One entry per person and period; fixed with the form's first version."""

    period: domain.Period
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(time_zone)]
    """IANA name; days, ISO weeks and months are those of this zone."""
    one_entry_per: Annotated[tuple[domain.FieldKind, ...], Field(min_length=1, max_length=3)]
    """``email``, ``phone``, ``card``: required fields; any of them taken means no entry."""


class FormBody(Request):
    """A form. Publishing it makes an immutable version: the evidence of what people were told."""

    kind: domain.FormKind
    label: Label
    """For the staff."""
    source: Code
    """Where it is shown, such as ``autumn-flyer``; travels with its events."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166 alpha-2; phone numbers without a country code are read with it."""
    texts: Annotated[dict[Language, Texts], Field(min_length=1, max_length=LANGUAGES_MAX)]
    """By language; the first one is for everybody who understands none of them."""
    fields: Annotated[tuple[FieldBody, ...], Field(min_length=1, max_length=FIELDS_MAX)]
    consents: Annotated[tuple[ConsentBody, ...], Field(max_length=CONSENTS_MAX)] = ()
    sweepstakes: SweepstakesBody | None = None
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    previous_valid_minutes: Annotated[int, Field(strict=True, ge=0, le=10_080)] = 60
    """How long submissions may still name an older version; 0 stops a wrong wording at once."""
    retention_days: Annotated[int, Field(strict=True, ge=1, le=3_650)] = 365
    """After so long what a person wrote is erased; version, consents and time stay."""
    hosted: bool = True
    """Whether ``/f/{form_id}`` shows it to the public."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for find in (_languages, _names, _rules, _times):
            message = find(self)
            if message:
                raise PydanticCustomError("form", "{what}", {"what": message})
        return self

    def to_form(self) -> domain.Form:
        """Return what the body says."""
        return _FORM.validate_python(self.model_dump())


_FORM: TypeAdapter[domain.Form] = TypeAdapter(domain.Form)
_BODY: TypeAdapter[FormBody] = TypeAdapter(FormBody)


def of_form(form: domain.Form) -> FormBody:
    """Return a form as it is written down."""
    return _BODY.validate_python(_FORM.dump_python(form, mode="json"))


def _languages(form: FormBody) -> str | None:
    wanted = set(form.texts)
    labelled = [one.label for one in form.fields]
    labelled += [one.hint for one in form.fields if one.hint]
    labelled += [option.label for one in form.fields for option in one.options]
    labelled += [one.wording for one in form.consents]
    if any(set(labels) != wanted for labels in labelled):
        return "every label, hint and wording has the languages of texts, and no other"
    return None


def _names(form: FormBody) -> str | None:
    names = [one.name for one in form.fields]
    if len(set(names)) < len(names):
        return "a field's name comes more than once"
    personal = [one.kind for one in form.fields if one.kind in domain.PERSONAL]
    if len(set(personal)) < len(personal):
        return "a form has one field at most of name, email, phone, card and birth_date"
    return None


def _rules(form: FormBody) -> str | None:
    kinds = {one.kind for one in form.fields}
    required = {one.kind for one in form.fields if one.required}
    asked = [(one.purpose, one.channel) for one in form.consents]
    needed = {domain.needed_field(one.channel) for one in form.consents} - {None}
    if (form.kind == "sweepstakes") != (form.sweepstakes is not None):
        return "sweepstakes have their rules, and nothing else has"
    if form.kind == "sign_up" and not required & set(domain.IDENTIFYING):
        return "a sign-up needs a required field of kind email, phone or card"
    if len(set(asked)) < len(asked):
        return "a purpose and channel comes more than once"
    if not needed <= kinds:
        return "consent to e-mail needs a field of kind email, consent to sms one of kind phone"
    if form.sweepstakes and not (
        set(form.sweepstakes.one_entry_per) <= required & set(domain.IDENTIFYING)
        and len(set(form.sweepstakes.one_entry_per)) == len(form.sweepstakes.one_entry_per)
    ):
        return "one_entry_per names required fields of kind email, phone or card, each once"
    return None


def _times(form: FormBody) -> str | None:
    opens: datetime | None = form.opens_at
    if opens is not None and form.closes_at is not None and opens >= form.closes_at:
        return "a form closes after it opens"
    return None
