"""Take what people send by forms: once each, with the wording they saw, and whose it is."""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.ingest.context import IngestContext
from services.ingest.domain import forms as domain
from services.ingest.domain.forms import FieldKind, Flaw, Form, Version
from services.ingest.handlers import forms
from services.ingest.handlers.revisions import SOURCE
from services.ingest.store import forms as form_store
from services.ingest.store import locks, members
from services.ingest.store import submissions as store
from services.ingest.store.submissions import Submission
from shared import identity, ids
from shared.contracts.interactions import (
    Consent,
    ConsentGiven,
    FormReference,
    Interaction,
    InteractionRecorded,
)
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Malformed, Refused

TOPIC = "interactions"
MEANS = "box-ticked"


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as somebody filled it in."""

    submission_id: UUID
    form_id: str
    version: int
    language: str | None
    answers: Mapping[str, str]
    consents: tuple[tuple[str, str], ...]
    source: Mapping[str, str]
    """Where they came from (``page``, ``referrer``); may be personal."""
    via: str
    store_id: str | None = None
    terminal_id: str | None = None

    def digest(self, key: bytes) -> bytes:
        """Return a keyed hash of all that was sent: tells a repeat from a contradiction."""
        said = [
            self.form_id,
            self.version,
            self.language,
            dict(self.answers),
            sorted(self.consents),
            dict(self.source),
            self.store_id,
            self.terminal_id,
        ]
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hmac.digest(key, f"submission:{canonical}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Taken:
    """The submission as it is stored; ``replayed`` when it was there before."""

    submission: Submission
    replayed: bool


class FlawedAnswers(Malformed):
    """Answers that the form does not take; ``flaws`` by field, for whoever words them."""

    def __init__(self, flaws: Mapping[str, Flaw]) -> None:
        """Keep the flaws, and put them into a problem's words."""
        errors = [
            {"field": f"answers.{name}", "message": _MESSAGES[flaw]} for name, flaw in flaws.items()
        ]
        super().__init__("form_answers_invalid", "Some answers do not fit.", errors=errors)
        self.flaws = flaws


_MESSAGES: Mapping[Flaw, str] = {
    "required": "is required",
    "unknown": "is no field of this form",
    "too_long": "is too long",
    "unprintable": "has control characters",
    "choice": "must be one of the options",
    "email": "must look like name@example.org",
    "phone": "must be a number with its country code (+…), or as dialled in the form's country",
    "card": "must be 1 to 254 printable characters",
    "birth_date": "must be a past date, YYYY-MM-DD",
}


async def submit(tx: Tx, filled: Filled, context: IngestContext) -> Taken:
    """Store a submission and announce it; a sign-up of a stranger waits for its enrolment.

    The same again is answered as the first time, also when the form has closed since. Raises
    ``Refused`` and ``Malformed`` as the form's rules say; nothing is written then.
    """
    digest = filled.digest(context.identity_key)
    before = await store.load(tx, filled.submission_id)
    if before is not None:
        return _replay(before, digest)
    now = context.clock.now()
    seen, current = await _versions(tx, filled, at=now)
    domain.refuse_unasked(seen.form, filled.consents)
    # Somewhere it is tomorrow already.
    checked = domain.check(seen.form, filled.answers, today=now.date() + timedelta(days=1))
    if checked.flaws:
        raise FlawedAnswers(checked.flaws)
    new = _draft(filled, seen, checked, context)
    hmacs = hmacs_of(new.person or {}, context.identity_key)
    await locks.share(tx, [locks.identifier_slot(one) for one in hmacs.values()])
    known = await members.load_by_identifier(tx, hmacs.values())
    member_id, proven = recognise(hmacs, known)
    waits = seen.form.kind == "sign_up" and member_id is None
    new = replace(new, member_id=member_id, state="waiting" if waits else "settled")
    if not await store.insert_submission(tx, new):
        return _replay(await require(tx, new.submission_id), digest)
    if current.form.sweepstakes is not None:
        await _enter(tx, new, current.form.sweepstakes, context)
    if not waits:
        await outbox.append(tx, announce(new, seen.form, proven))
    return Taken(new, replayed=False)


async def require(tx: Tx, submission_id: UUID, *, form_id: str | None = None) -> Submission:
    """Return a submission; ``Refused`` (404) if it is not there, or not of that form."""
    found = await store.load(tx, submission_id)
    if found is None or form_id not in {None, found.form_id}:
        raise Refused("submission_not_found", "There is no such submission.", status=404)
    return found


def hmacs_of(person: Mapping[str, str], key: bytes) -> dict[FieldKind, str]:
    """Return the hashes (hex) of the identifiers among ``person``, by kind."""
    return {
        kind: identity.identifier_hmac(key, kind, person[kind])
        for kind in domain.IDENTIFYING
        if kind in person
    }


def recognise(
    hmacs: Mapping[FieldKind, str], known: Mapping[str, UUID]
) -> tuple[UUID | None, tuple[FieldKind, ...]]:
    """Return the member and the kinds of identifier that are theirs."""
    return domain.owner_of({kind: known[one] for kind, one in hmacs.items() if one in known})


def announce(
    submission: Submission, form: Form, proven: Iterable[FieldKind], *, again: bool = False
) -> list[Outgoing]:
    """Return the events of a submission; ``again`` leaves out the one that went out before."""
    events = [] if again else [_recorded(submission, form)]
    if submission.member_id is not None:
        held = domain.binding(submission.consents, proven)
        events += [_consent(submission, submission.member_id, one) for one in held]
    key = str(submission.member_id) if submission.member_id else None
    return [Outgoing(TOPIC, key or str(event.id), event) for event in events]


def _recorded(submission: Submission, form: Form) -> InteractionRecorded:
    member_id = submission.member_id
    return InteractionRecorded(
        id=ids.derived_id(submission.submission_id, "interaction.recorded.v1"),
        source=SOURCE,
        time=submission.received_at,
        subject=str(member_id) if member_id else None,
        data=Interaction(
            interaction_id=submission.submission_id,
            kind="form_submitted",
            member_id=member_id,
            occurred_at=submission.received_at,
            received_at=submission.received_at,
            store_id=submission.store_id,
            form=FormReference(
                form_id=submission.form_id,
                version=submission.version,
                kind=form.kind,
                submission_id=submission.submission_id,
                source=form.source,
            ),
        ),
    )


def _consent(submission: Submission, member_id: UUID, given: tuple[str, str]) -> ConsentGiven:
    purpose, channel = given
    evidence = {
        "wording_id": f"form:{submission.form_id}/{purpose}/{channel}",
        "wording_version": submission.version,
        "source": f"form:{submission.form_id}",
        "recorded_at": submission.received_at,
        "language": submission.language,
        "means": MEANS,
        "submission_id": submission.submission_id,
    }
    consent = {
        "member_id": member_id,
        "purpose": purpose,
        "channel": channel,
        "evidence": evidence,
    }
    return ConsentGiven(
        id=ids.derived_id(submission.submission_id, f"consent.given.v1:{purpose}:{channel}"),
        source=SOURCE,
        time=submission.received_at,
        subject=str(member_id),
        data=Consent.model_validate(consent),
    )


async def _versions(tx: Tx, filled: Filled, *, at: datetime) -> tuple[Version, Version]:
    """Return what was seen and what is current; raises ``Refused`` if that does not do."""
    seen = await forms.require_version(tx, filled.form_id, filled.version)
    until = await form_store.load_valid_until(tx, filled.form_id, filled.version)
    current = seen if until is None else await forms.require_current(tx, filled.form_id)
    domain.refuse_closed(current.form, at=at)
    domain.refuse_outdated(until, at=at)
    if filled.language is not None and filled.language not in seen.form.languages:
        errors = [{"field": "language", "message": "the form was not shown in it"}]
        raise Malformed("invalid_request", "The form has no such language.", errors=errors)
    return seen, current


def _draft(
    filled: Filled, seen: Version, checked: domain.Checked, context: IngestContext
) -> Submission:
    now = context.clock.now()
    hmacs = hmacs_of(checked.person, context.identity_key)
    return Submission(
        submission_id=filled.submission_id,
        form_id=filled.form_id,
        version=filled.version,
        language=filled.language or seen.form.languages[0],
        body_hmac=filled.digest(context.identity_key),
        received_at=now,
        consents=tuple(sorted(set(filled.consents))),
        via=filled.via,
        store_id=filled.store_id,
        terminal_id=filled.terminal_id,
        source=filled.source,
        answers=checked.answers,
        person=checked.person,
        identifier_hmacs=tuple(sorted(bytes.fromhex(one) for one in hmacs.values())),
        member_id=None,
        state="waiting",
        next_attempt_at=now,
        expires_at=now + timedelta(days=seen.form.retention_days),
    )


async def _enter(
    tx: Tx, new: Submission, rules: domain.Sweepstakes, context: IngestContext
) -> None:
    counted = domain.entrants(rules, new.person or {})
    if new.member_id is not None:
        # A member who enters by mail today and by phone tomorrow is one person.
        counted.append(("member", str(new.member_id)))
    entrants = {
        bytes.fromhex(identity.identifier_hmac(context.identity_key, f"entrant:{kind}", value))
        for kind, value in counted
    }
    period = domain.period_of(rules, new.received_at)
    if not await store.insert_entries(tx, new, period, entrants):
        raise Refused(
            "already_entered",
            "This person has entered already; there is one entry per person and period.",
            period=period,
        )


def _replay(before: Submission, digest: bytes) -> Taken:
    if not hmac.compare_digest(before.body_hmac, digest):
        raise Refused(
            "submission_conflict",
            "A submission with this id was taken with other contents; make another id.",
        )
    return Taken(before, replayed=True)


Status = Literal["accepted", "settled", "failed", "erased"]


def status_of(submission: Submission) -> Status:
    """Return how far a submission has come, in the API's words."""
    if submission.erased_at is not None:
        return "erased"
    if submission.state == "waiting":
        return "accepted"
    return "failed" if submission.state == "failed" else "settled"
