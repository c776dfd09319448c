"""What members choose themselves: consent, preferences, and leaving by a link."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.notify.context import NotifyContext
from services.notify.domain import matrix
from services.notify.domain.tokens import Leave
from services.notify.handlers.announce import SOURCE
from services.notify.store import consents, members
from services.notify.store.consents import ConsentRow
from shared import ids
from shared.contracts.interactions import (
    Consent,
    ConsentEvidence,
    ConsentGiven,
    ConsentWithdrawn,
)
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused

LINK_WORDING = "unsubscribe-link"
AHEAD_MAX = timedelta(minutes=5)
"""How far a caller's clock may run ahead of ours."""


@dataclass(frozen=True, slots=True)
class Word:
    """A yes or no, with what the member was told."""

    member_id: UUID
    purpose: matrix.Purpose
    channel: matrix.Channel
    decision: Literal["given", "withdrawn"]
    wording_id: str
    wording_version: int
    source: str
    recorded_at: datetime | None = None


async def refuse_departed(tx: Tx, member_id: UUID) -> str | None:
    """Return the member's status; an erased or merged member is as if there were none."""
    status = await members.load_status(tx, member_id)
    if status not in {None, "active"}:
        raise unknown_member()
    return status


def unknown_member() -> Refused:
    return Refused("member_unknown", "There is no such member.", status=404)


async def decide(tx: Tx, word: Word, context: NotifyContext) -> ConsentRow:
    """Append a yes or no to the ledger and publish it; return the row.

    The member may be unknown still: their enrolment travels by itself, and a withdrawal must not
    wait for it. The same word again, with the same time, is the same row.
    """
    await refuse_departed(tx, word.member_id)
    await consents.lock_member_choices(tx, word.member_id)
    now = context.clock.now()
    recorded_at = word.recorded_at or now
    if recorded_at > now + AHEAD_MAX:
        raise Refused("recorded_in_future", "recorded_at lies in the future.", status=422)
    row = ConsentRow(
        consent_id=_consent_id(word),
        member_id=word.member_id,
        purpose=word.purpose,
        channel=word.channel,
        decision=word.decision,
        wording_id=word.wording_id,
        wording_version=word.wording_version,
        source=word.source,
        recorded_at=recorded_at,
        decided_at=min(recorded_at, now),
        received_at=now,
    )
    if row.consent_id in await consents.append_consents(tx, [row]):
        await outbox.append(tx, [_outgoing(row)])
    return row


def _consent_id(word: Word) -> UUID:
    if word.recorded_at is None:
        return ids.new_id()
    parts = (word.purpose, word.channel, word.decision, word.wording_id, str(word.wording_version))
    instant = str(int(word.recorded_at.timestamp() * 1_000_000))
    return ids.derived_id(word.member_id, ":".join(("consent", *parts, word.source, instant)))


def _outgoing(row: ConsentRow) -> Outgoing:
    kind = ConsentGiven if row.decision == "given" else ConsentWithdrawn
    subject = str(row.member_id)
    evidence = ConsentEvidence(
        wording_id=row.wording_id,
        wording_version=row.wording_version,
        source=row.source,
        recorded_at=row.recorded_at,
    )
    consent = Consent.model_validate(
        {
            "member_id": row.member_id,
            "purpose": row.purpose,
            "channel": row.channel,
            "evidence": evidence,
        }
    )
    event = kind(
        id=row.consent_id, source=SOURCE, time=row.recorded_at, subject=subject, data=consent
    )
    return Outgoing("interactions", subject, event)


async def prefer(
    tx: Tx, member_id: UUID, chosen: Mapping[tuple[str, str], str], context: NotifyContext
) -> None:
    """Make ``chosen`` all that the member chose; the rest goes by default again."""
    await refuse_departed(tx, member_id)
    await consents.lock_member_choices(tx, member_id)
    await members.replace_preferences(tx, member_id, chosen, now=context.clock.now())


async def leave(tx: Tx, wish: Leave, context: NotifyContext) -> None:
    """Do what an unsubscribe link says; doing it again changes nothing.

    From marketing it withdraws the consent. Other topics are switched off alone: who is tired of
    mail about points did not say no to anything else.
    """
    if await members.load_status(tx, wish.member_id) not in {None, "active"}:
        return
    if matrix.purpose_of(wish.topic) != "marketing":
        await consents.lock_member_choices(tx, wish.member_id)
        choice = (wish.topic, wish.channel, "never")
        await members.set_preference(tx, wish.member_id, choice, now=context.clock.now())
        return
    await consents.lock_member_choices(tx, wish.member_id)
    latest = await consents.load_latest(tx, wish.member_id, "marketing", wish.channel)
    if latest is not None and latest["decision"] == "withdrawn":
        return
    word = Word(
        member_id=wish.member_id,
        purpose="marketing",
        channel=wish.channel,
        decision="withdrawn",
        wording_id=LINK_WORDING,
        wording_version=1,
        source=f"message:{wish.message_id}",
    )
    await decide(tx, word, context)
