"""What a form asks, what counts as an answer, and who may enter a sweepstake again; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared import identity
from shared.errors import Malformed, Refused

FormKind = Literal["sign_up", "contact", "sweepstakes"]
FieldKind = Literal["name", "email", "phone", "card", "birth_date", "choice", "text"]
Period = Literal["once", "day", "week", "month"]
Flaw = Literal[
    "required",
    "unknown",
    "too_long",
    "unprintable",
    "choice",
    "email",
    "phone",
    "card",
    "birth_date",
]

IDENTIFYING: tuple[FieldKind, ...] = ("card", "email", "phone")
"""Kinds that say who someone is; where they name two members, the first kind decides."""
PERSONAL: tuple[FieldKind, ...] = (*IDENTIFYING, "name", "birth_date")
"""Kinds that a form has one field of at most: what an enrolment takes."""
SHORT_MAX_CHARS = 200
"""Of a name or a choice; identifiers have their own limit, texts the form's."""
BIRTH_DATE_MIN = date(1900, 1, 1)

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_UNPRINTABLE_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MALFORMED: Mapping[str, Flaw] = {"card": "card", "email": "email", "phone": "phone"}
_CONTACT_OF: Mapping[str, FieldKind] = {"email": "email", "sms": "phone"}


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said around the fields, in one language."""

    title: str
    intro: str
    submit: str
    thanks: str
    privacy_url: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a choice; ``label`` by language."""

    value: str
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One question; ``label`` and ``hint`` by language."""

    name: str
    kind: FieldKind
    required: bool
    label: Mapping[str, str]
    hint: Mapping[str, str]
    options: tuple[Option, ...]
    chars_max: int


@dataclass(frozen=True, slots=True)
class ConsentAsked:
    """A box that may be ticked: one purpose on one channel, and the exact wording by language."""

    purpose: str
    channel: str
    wording: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sweepstakes:
    """One entry per person and period; periods are those of ``time_zone``."""

    period: Period
    time_zone: str
    one_entry_per: tuple[FieldKind, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One version of a form: immutable, because it is the evidence of what people were told."""

    kind: FormKind
    label: str
    source: str
    country: str | None
    texts: Mapping[str, Texts]
    fields: tuple[Field, ...]
    consents: tuple[ConsentAsked, ...]
    sweepstakes: Sweepstakes | None
    opens_at: datetime | None
    closes_at: datetime | None
    previous_valid_minutes: int
    retention_days: int
    hosted: bool

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages, the first being the one for everybody else."""
        return tuple(self.texts)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a form as it was published."""

    form_id: str
    version: int
    published_at: datetime
    form: Form


@dataclass(frozen=True, slots=True)
class Checked:
    """Answers in their normal form, or what is wrong with them."""

    answers: Mapping[str, str]
    """By the name of the field; what was left empty is not there."""
    person: Mapping[str, str]
    """Those among the answers that say who it is, by the kind of their field."""
    flaws: Mapping[str, Flaw]
    """By the name of the field."""


def refuse_changed_rules(before: Form, after: Form) -> None:
    """Raise ``Refused`` where a new version would change what entries were counted by."""
    if (before.kind, before.sweepstakes) != (after.kind, after.sweepstakes):
        raise Refused(
            "form_rules_fixed",
            "Kind, period, time zone and one_entry_per stay as they are; make another form.",
        )


def refuse_outdated(until: datetime | None, *, at: datetime) -> None:
    """Raise ``Refused`` once the version that the person saw no longer counts.

    Each newer version says until when those before it stay good; ``until`` is the earliest of
    these times, so that a wrong wording can be stopped at once.
    """
    if until is not None and at >= until:
        raise Refused(
            "form_version_outdated",
            "The form was changed since; show its current version and ask again.",
        )


def refuse_closed(form: Form, *, at: datetime) -> None:
    """Raise ``Refused`` before the form opens and from its closing time on."""
    if form.opens_at is not None and at < form.opens_at:
        raise Refused(
            "form_not_open", "The form is not open yet.", opens_at=form.opens_at.isoformat()
        )
    if form.closes_at is not None and at >= form.closes_at:
        raise Refused("form_closed", "The form is closed.", closed_at=form.closes_at.isoformat())


def period_of(rules: Sweepstakes, at: datetime) -> str:
    """Return the period that ``at`` lies in: ``once``, a day, an ISO week or a month."""
    local = at.astimezone(ZoneInfo(rules.time_zone))
    if rules.period == "day":
        return local.date().isoformat()
    if rules.period == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    return f"{local.year:04}-{local.month:02}" if rules.period == "month" else "once"


def entrants(rules: Sweepstakes, person: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what the one entry is counted by, as (kind, value) pairs.

    An e-mail address counts without its ``+tag``: all of them reach one person.
    """
    counted: list[tuple[str, str]] = []
    for kind in rules.one_entry_per:
        value = person.get(kind)
        if value is None:
            continue
        if kind == "email":
            local, _, domain = value.rpartition("@")
            value = f"{local.partition('+')[0] or local}@{domain}"
        counted.append((kind, value))
    return counted


def check(form: Form, given: Mapping[str, str], *, today: date) -> Checked:
    """Read answers by the fields of the form; blanks around them do not count."""
    known = {field.name for field in form.fields}
    flaws: dict[str, Flaw] = {name: "unknown" for name in given if name not in known}
    answers: dict[str, str] = {}
    person: dict[str, str] = {}
    for field in form.fields:
        value = given.get(field.name, "").replace("\r\n", "\n").strip()
        if not value:
            if field.required:
                flaws[field.name] = "required"
            continue
        flaw = _flaw(field, value, today)
        if flaw is None and field.kind in _MALFORMED:
            try:
                value = identity.normalise(field.kind, value, region=form.country)
            except Malformed:
                flaw = _MALFORMED[field.kind]
        if flaw is not None:
            flaws[field.name] = flaw
        answers[field.name] = value
        if field.kind in PERSONAL:
            person[field.kind] = value
    return Checked(answers, person, flaws)


def _flaw(field: Field, value: str, today: date) -> Flaw | None:
    unprintable = _UNPRINTABLE_TEXT if field.kind == "text" else _UNPRINTABLE
    if unprintable.search(value):
        return "unprintable"
    if field.kind == "choice" and value not in {option.value for option in field.options}:
        return "choice"
    if field.kind == "birth_date" and not _is_birth_date(value, today):
        return "birth_date"
    most = field.chars_max if field.kind == "text" else SHORT_MAX_CHARS
    if field.kind in {"name", "text"} and len(value) > most:
        return "too_long"
    return None


def _is_birth_date(text: str, today: date) -> bool:
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return False
    # Basic and week forms of ISO 8601 would mean the same day in another spelling.
    return BIRTH_DATE_MIN <= born <= today and born.isoformat() == text


def owner_of(
    owners: Mapping[FieldKind, UUID],
) -> tuple[UUID | None, tuple[FieldKind, ...]]:
    """Return the member that was recognised and by which kinds; of two members, by the first kind.

    ``owners`` holds the member of each identifier that has one.
    """
    for kind in IDENTIFYING:
        if kind in owners:
            member_id = owners[kind]
            return member_id, tuple(one for one in owners if owners[one] == member_id)
    return None, ()


def refuse_unasked(form: Form, given: Sequence[tuple[str, str]]) -> None:
    """Raise ``Malformed`` for a consent that the form did not ask for: there was no wording."""
    asked = {(one.purpose, one.channel) for one in form.consents}
    for index, one in enumerate(given):
        if one not in asked:
            errors = [{"field": f"consents.{index}", "message": "this form does not ask for it"}]
            raise Malformed("invalid_request", "A consent was not asked for.", errors=errors)


def binding(given: Iterable[tuple[str, str]], proven: Iterable[str]) -> list[tuple[str, str]]:
    """Return the consents that hold for a member who owns the identifiers ``proven``.

    A yes to mail or SMS binds the member only if the address or number written on the form is
    theirs: else anybody could subscribe a stranger's phone to a member he knows by e-mail.
    """
    owned = set(proven)
    return [
        (purpose, channel)
        for purpose, channel in given
        if channel not in _CONTACT_OF or _CONTACT_OF[channel] in owned
    ]


def needed_field(channel: str) -> FieldKind | None:
    """Return the kind of field that a consent on ``channel`` makes no sense without."""
    return _CONTACT_OF.get(channel)


def language(form: Form, wanted: Iterable[str]) -> str:
    """Return the form's language that is closest to what is wanted, best first.

    ``de-AT`` is content with ``de``, and ``de`` with ``de-CH``; nothing fits: the form's first.
    """
    by_tag = {one.lower(): one for one in form.languages}
    by_root = {one.lower().partition("-")[0]: one for one in reversed(form.languages)}
    for tag in wanted:
        root = tag.lower().partition("-")[0]
        found = by_tag.get(tag.lower()) or by_tag.get(root) or by_root.get(root)
        if found is not None:
            return found
    return form.languages[0]
