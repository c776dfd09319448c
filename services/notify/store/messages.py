"""Messages: written down once, claimed with a lease, closed with the decision."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.sql.selectable import TableValuedAlias

from services.notify.domain.gates import Check
from services.notify.domain.planning import (
    AWARDED,
    EXPIRING,
    TIER_NOTICE,
    TIER_REACHED,
    OpenDigests,
    Plan,
)
from services.notify.store.tables import message
from shared.db import Tx, bulk

_INSTANT = sa.DateTime(timezone=True)
_OPEN = message.c.state.in_(("waiting", "queued"))


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A planned message with the state that it begins in."""

    plan: Plan
    not_before: datetime
    state: str = "queued"
    reason: str | None = None
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a message; ``not_before`` where it stays open."""

    message_id: UUID
    state: str
    reason: str | None = None
    checks: Sequence[Check] = ()
    not_before: datetime | None = None
    content: Mapping[str, str] | None = None
    template_version: int | None = None
    uncertain: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is noted before a mail leaves: why it may, until when, and what it says."""

    checks: Sequence[Check]
    template_version: int
    at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that belongs to one process until its lease ends."""

    message_id: UUID
    claim_id: UUID


_PLANNED = ("message_id", "member_id", "topic", "channel", "template", "cause_id", "caused_at",
            "collect_key")  # fmt: skip
_AS_TEXT = ("template_values", "gates")
_NEW = bulk.Rows(
    "n",
    {name: message.c[name].type for name in _PLANNED}
    | dict.fromkeys((*_AS_TEXT, "state", "reason"), sa.Text())
    | dict.fromkeys(("not_before", "created_at", "closed_at"), _INSTANT),
)
_APPEND = (
    insert(message)
    .from_select(
        _NEW.c.keys(),
        sa.select(
            *(
                sa.cast(column, JSONB) if name in _AS_TEXT else column
                for name, column in _NEW.c.items()
            )
        ),
    )
    .on_conflict_do_nothing()
    .returning(message.c.message_id)
)


async def append_messages(tx: Tx, rows: Sequence[NewMessage], *, now: datetime) -> set[UUID]:
    """Write messages down; return the ids of those that were not there."""
    if not rows:
        return set()
    plans = [row.plan for row in rows]
    values = _NEW.values(
        {name: [getattr(plan, name) for plan in plans] for name in _PLANNED}
        | {
            "template_values": [json.dumps(dict(plan.values)) for plan in plans],
            "gates": [_gates(row.checks) for row in rows],
            "state": [row.state for row in rows],
            "reason": [row.reason for row in rows],
            "not_before": [row.not_before for row in rows],
            "created_at": [now] * len(rows),
            "closed_at": [None if row.state == "queued" else now for row in rows],
        }
    )
    return set(await tx.scalars(_APPEND, values))


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _gates(checks: Sequence[Check]) -> str:
    return json.dumps([asdict(check) for check in checks])


def checks_of(row: sa.RowMapping) -> tuple[Check, ...]:
    """Return the decision that a row of ``message`` holds."""
    return tuple(Check(**gate) for gate in row["gates"] or ())


async def lock_open_digests(tx: Tx, keys: Sequence[tuple[UUID, str]]) -> OpenDigests:
    """Lock the digests that still take offers in, so that none leaves meanwhile."""
    if not keys:
        return {}
    wanted = bulk.unnest(
        "w",
        {
            "member_id": (sa.Uuid(), [member_id for member_id, _ in keys]),
            "collect_key": (sa.Text(), [collect_key for _, collect_key in keys]),
        },
    )
    rows = await tx.execute(
        sa.select(
            message.c.member_id, message.c.collect_key, message.c.channel, message.c.message_id
        )
        .join(
            wanted,
            sa.and_(
                wanted.c.member_id == message.c.member_id,
                wanted.c.collect_key == message.c.collect_key,
            ),
        )
        .where(_OPEN)
        .order_by(message.c.message_id)
        .with_for_update(of=message)
    )
    return {(row.member_id, row.collect_key, row.channel): row.message_id for row in rows}


async def has_due(tx: Tx, channel: str, *, now: datetime) -> bool:
    """Whether a message could leave now."""
    due = sa.exists().where(_OPEN, message.c.channel == channel, message.c.not_before <= now)
    return bool(await tx.scalar(sa.select(due)))


async def lock_due(tx: Tx, channel: str, *, now: datetime, limit: int) -> list[UUID]:
    """Lock the messages that could leave now, longest due first; others' are passed over."""
    rows = await tx.scalars(
        sa.select(message.c.message_id)
        .where(_OPEN, message.c.channel == channel, message.c.not_before <= now)
        .order_by(message.c.not_before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


async def claim(
    tx: Tx, message_ids: Sequence[UUID], *, claim_id: UUID, lease_until: datetime
) -> None:
    """Claim messages that ``lock_due`` locked in this transaction."""
    await tx.execute(
        message.update()
        .values(state="claimed", claim_id=claim_id, lease_until=lease_until, attempted_at=None)
        .where(message.c.message_id.in_(message_ids))
    )


async def lock_claimed(tx: Tx, claimed: Claim) -> bool:
    """Lock a message if the claim still holds; False once another process may have it."""
    rows = await tx.execute(sa.select(message.c.state).where(_held(claimed)).with_for_update())
    return rows.one_or_none() is not None


def _held(claimed: Claim) -> "sa.ColumnElement[bool]":
    return sa.and_(
        message.c.message_id == claimed.message_id,
        message.c.state == "claimed",
        message.c.claim_id == claimed.claim_id,
    )


async def begin_attempt(tx: Tx, claimed: Claim, attempt: Attempt) -> None:
    """Note that the message may leave from here on, and why. Commit before it does."""
    await tx.execute(
        message.update()
        .values(
            attempted_at=attempt.at,
            lease_until=attempt.lease_until,
            attempts=message.c.attempts + 1,
            gates=[asdict(check) for check in attempt.checks],
            template_version=attempt.template_version,
        )
        .where(_held(claimed))
    )


async def release(tx: Tx, claims: Sequence[Claim], *, not_before: datetime) -> None:
    """Give back claimed messages that were not tried."""
    if not claims:
        return
    await tx.execute(
        message.update()
        .values(state="queued", claim_id=None, lease_until=None, not_before=not_before)
        .where(
            message.c.message_id.in_([one.message_id for one in claims]),
            message.c.claim_id == claims[0].claim_id,
            message.c.attempted_at.is_(None),
        )
    )


async def record(tx: Tx, outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Write outcomes of messages that this transaction has locked."""
    if not outcomes:
        return
    closing = [one.not_before is None for one in outcomes]
    columns: dict[str, bulk.Column] = {
        "message_id": (sa.Uuid(), [one.message_id for one in outcomes]),
        "state": (sa.Text(), [one.state for one in outcomes]),
        "reason": (sa.Text(), [one.reason for one in outcomes]),
        "gates": (sa.Text(), [_gates(one.checks) for one in outcomes]),
        "content": (sa.Text(), [_json(one.content) for one in outcomes]),
        "not_before": (_INSTANT, [one.not_before for one in outcomes]),
        "template_version": (sa.Integer(), [one.template_version for one in outcomes]),
        "closed_at": (_INSTANT, [now if closed else None for closed in closing]),
        "uncertain": (sa.Integer(), [one.uncertain for one in outcomes]),
    }
    source = bulk.unnest("n", columns)
    await tx.execute(
        message.update()
        .values(
            state=source.c.state,
            reason=source.c.reason,
            gates=sa.cast(source.c.gates, JSONB),
            content=sa.cast(source.c.content, JSONB),
            not_before=sa.func.coalesce(source.c.not_before, message.c.not_before),
            template_version=sa.func.coalesce(
                source.c.template_version, message.c.template_version
            ),
            closed_at=source.c.closed_at,
            uncertain=message.c.uncertain + source.c.uncertain,
            claim_id=None,
            lease_until=None,
        )
        .where(message.c.message_id == source.c.message_id)
    )


async def list_leases_over(tx: Tx, *, now: datetime, limit: int) -> Sequence[sa.RowMapping]:
    """Lock claimed messages whose process did not come back in time."""
    rows = await tx.execute(
        sa.select(message)
        .where(message.c.state == "claimed", message.c.lease_until < now)
        .order_by(message.c.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return rows.mappings().all()


async def lessen(tx: Tx, spent: Sequence[tuple[UUID, datetime, int]]) -> None:
    """Take points that members spent off the notices of their end that have not left yet.

    ``spent`` is member, time, points. What was spent before a notice is not in it. What ends next
    is spent first, so it is of that; should a spend be told twice, a notice says too little.
    """
    if not spent:
        return
    each = bulk.unnest(
        "s",
        {
            "member_id": (sa.Uuid(), [one[0] for one in spent]),
            "at": (sa.DateTime(timezone=True), [one[1] for one in spent]),
            "points": (sa.BigInteger(), [one[2] for one in spent]),
        },
    )
    taken = (
        sa.select(message.c.message_id, sa.func.sum(each.c.points).label("points"))
        .where(
            message.c.state.in_(("waiting", "queued")),
            message.c.template == EXPIRING,
            message.c.member_id == each.c.member_id,
            message.c.caused_at <= each.c.at,
        )
        .group_by(message.c.message_id)
        .subquery()
    )
    ending = message.c.template_values["ending"].as_integer() - taken.c.points
    left = sa.func.jsonb_build_object("ending", sa.func.greatest(ending, 0))
    await tx.execute(
        message.update()
        .values(template_values=message.c.template_values.op("||")(left))
        .where(message.c.message_id == taken.c.message_id)
    )


async def outdate_awards(tx: Tx, taken_back: Collection[tuple[UUID, UUID]]) -> None:
    """Mark messages of awards that were taken back and that have not left yet.

    ``taken_back`` is member and award.
    """
    if not taken_back:
        return
    each = bulk.unnest(
        "t",
        {
            "member_id": (sa.Uuid(), [member_id for member_id, _ in taken_back]),
            "award_id": (sa.Text(), [str(award_id) for _, award_id in taken_back]),
        },
    )
    same = message.c.template_values["award_id"].as_string() == each.c.award_id
    await _outdate(tx, (AWARDED,), each, same)


async def outdate_tiers(tx: Tx, tiers: Mapping[UUID, str | None]) -> None:
    """Mark what tells of another tier than a member has by now, if it has not left yet."""
    if not tiers:
        return
    each = bulk.unnest(
        "t",
        {
            "member_id": (sa.Uuid(), list(tiers)),
            "tier": (sa.Text(), list(tiers.values())),
        },
    )
    other = message.c.template_values["name"].as_string().is_distinct_from(each.c.tier)
    await _outdate(tx, (TIER_NOTICE, TIER_REACHED), each, other)


async def _outdate(
    tx: Tx, templates: Sequence[str], each: TableValuedAlias, about: "sa.ColumnElement[bool]"
) -> None:
    marked = message.c.template_values.op("||")(sa.func.jsonb_build_object("outdated", sa.true()))
    await tx.execute(
        message.update()
        .values(template_values=marked)
        .where(_OPEN, message.c.template.in_(templates), message.c.member_id == each.c.member_id)
        .where(about)
    )


async def wake(tx: Tx, member_ids: Sequence[UUID], *, now: datetime) -> None:
    """Look again, now, at messages that wait for these members."""
    if not member_ids:
        return
    awaited = bulk.unnest("w", {"member_id": (sa.Uuid(), list(member_ids))})
    await tx.execute(
        message.update()
        .values(not_before=now)
        .where(message.c.state == "waiting", message.c.member_id == awaited.c.member_id)
    )
