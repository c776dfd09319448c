"""What the ledger tells the others, appended to the outbox of the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.domain import explain, notices, why
from services.loyalty.domain.approvals import Decision
from services.loyalty.domain.fold import Book
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.notices import Notice
from services.loyalty.domain.postings import Closing, Move, Posting
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.tier_reviews import TierChange, TierNotice
from services.loyalty.handlers import member_events, moves
from services.loyalty.handlers.member_events import SOURCE
from services.loyalty.store import members
from shared import ids
from shared.contracts import structs
from shared.contracts.loyalty import (
    ApprovalDecided,
    ApprovalDecision,
    EndAhead,
    Passage,
    PointsEarned,
    PointsExpiring,
    PointsMerged,
    PointsMovement,
    PointsReturned,
    TierChanged,
    TierMovement,
    TierNoticed,
    TierWarning,
)
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing

_MOVEMENT = structs.struct(PointsMovement)
_EARNED = structs.struct(PointsEarned)
_RETURNED = structs.struct(PointsReturned)


async def on_ledger(tx: Tx, book: Book, closed: Closing) -> None:
    """Announce what was earned, spent and ended, and every change of tier."""
    await outbox.append(tx, of_ledger(book, closed) + await _of_tiers(tx, book))


def of_ledger(book: Book, closed: Closing) -> list[Outgoing]:
    """Return the events of what was earned, spent and ended."""
    outgoing = [
        points(posted, book) if isinstance(posted, Posting) else moves.told(posted, book.programme)
        for posted in closed.entries
        if isinstance(posted, Posting) or posted.why in moves.ANNOUNCED
    ]
    return outgoing + _passed(closed)


async def on_tiers(tx: Tx, book: Book) -> None:
    """Announce what the clock alone does to tiers."""
    await outbox.append(tx, await _of_tiers(tx, book))


async def _of_tiers(tx: Tx, book: Book) -> list[Outgoing]:
    outgoing = [_tier(change, book) for change in book.tier_changes]
    outgoing += [_tier_notice(notice, book.programme) for notice in book.tier_notices]
    if book.tier_changes:
        outgoing += await _member_states(tx, book.tier_changes)
    return outgoing


def points(posting: Posting, book: Book) -> Outgoing:
    """Return a posting's event as JSON.

    Made as a struct: checking values that the ledger itself has just computed would cost more
    than folding the receipt. A test holds these bytes to the contract.
    """
    change, event = posting.change, posting.change.event
    version = change.settlement.version
    earned = posting.points > 0
    kind, event_type = (
        (_EARNED, "points.earned.v1") if earned else (_RETURNED, "points.returned.v1")
    )
    own = change.receipt_id == event.data.receipt_id
    # One event may move points of several receipts, where a cap ties them together.
    named = event_type if own else f"{event_type}:{change.receipt_id}"
    event_id = ids.derived_id(event.id, named)
    subject = str(change.member_id)
    movement = _MOVEMENT(
        member_id=change.member_id,
        receipt_id=change.receipt_id,
        store_id=change.after.store_id or event.data.store_id,
        points=posting.points if earned else -posting.points,
        available=posting.legs[-1].available_after,
        expires_at=change.after.expires_at(book.programme.time_zone),
        programme_version=version.version if version else "none",
        explain=explain.in_short(posting, book.programme),
        imported=why.is_history(event),
    )
    announced = kind(
        id=event_id,
        source=SOURCE,
        time=event.time,
        subject=subject,
        dataschema=f"urn:perennial:schema:{event_type}",
        data=movement,
    )
    return Outgoing("loyalty", subject, event_id=event_id, value=structs.encode(announced))


def _passed(closed: Closing) -> list[Outgoing]:
    """Return what went over from one member to another: one event for each side of a cause."""
    moved: dict[tuple[UUID, UUID], list[Move]] = {}
    for entry in closed.entries:
        if isinstance(entry, Move) and entry.other_id is not None:
            moved.setdefault((entry.member_id, entry.cause_id), []).append(entry)
    return [_merged(moves) for moves in moved.values()]


def _merged(moves: Sequence[Move]) -> Outgoing:
    first, subject = moves[0], str(moves[0].member_id)
    assert first.other_id is not None  # who is on the other side is what makes it such a move
    points = sum(move.points for move in moves)
    announced = PointsMerged(
        id=ids.derived_id(first.cause_id, f"points.merged.v1:{subject}"),
        source=SOURCE,
        time=first.occurred_at,
        subject=subject,
        data=Passage(
            member_id=first.member_id,
            other_id=first.other_id,
            points=points,
            available=moves[-1].legs[-1].available_after,
            explain=explain.passage(first.why, points),
        ),
    )
    return Outgoing("loyalty", subject, announced)


async def expiring(tx: Tx, told: Sequence[Notice], programme: Programme, now: datetime) -> None:
    """Announce points that are about to end; ``told`` was recorded just now."""
    await outbox.append(tx, [_ending(one, programme, now) for one in told])


def _ending(notice: Notice, programme: Programme, now: datetime) -> Outgoing:
    subject = str(notice.member_id)
    instant = int(notice.ends_at.timestamp() * 1_000_000)
    announced = PointsExpiring(
        id=ids.derived_id(notice.member_id, f"points.expiring.v1:{instant}"),
        source=SOURCE,
        time=now,
        subject=subject,
        data=EndAhead(
            member_id=notice.member_id,
            points=notice.points,
            ends_at=notice.ends_at,
            value_minor=programme.value_minor(notice.points),
            currency=programme.currency,
            last_day=notices.last_day(notice, programme),
            explain=explain.ending_in_short(notice, programme),
        ),
    )
    return Outgoing("loyalty", subject, announced)


async def decided(tx: Tx, decision: Decision, book: Book) -> None:
    """Announce what the staff decided on a receipt of the book, just now."""
    subject, after = str(decision.member_id), book.receipts[decision.receipt_id]
    begins_at = None if after.begins_at == NEVER else after.begins_at
    announced = ApprovalDecided(
        id=ids.derived_id(decision.receipt_id, "approval.decided.v1"),
        source=SOURCE,
        time=decision.decided_at,
        subject=subject,
        data=ApprovalDecision(
            member_id=decision.member_id,
            receipt_id=decision.receipt_id,
            store_id=after.store_id,
            verdict=decision.verdict,
            points=decision.points,
            begins_at=begins_at if decision.verdict == "approved" else None,
            explain=explain.decided(decision, begins_at, book.programme),
        ),
    )
    await outbox.append(tx, [Outgoing("loyalty", subject, announced)])


def _tier(change: TierChange, book: Book) -> Outgoing:
    subject, level_of = str(change.member_id), book.programme.ladder.level_of
    announced = TierChanged(
        # A receipt that moves changes the tier of two members.
        id=ids.derived_id(change.cause_id, f"tier.changed.v1:{subject}"),
        source=SOURCE,
        time=change.at,
        subject=subject,
        data=TierMovement(
            member_id=change.member_id,
            previous=change.previous,
            tier=change.tier,
            reason=explain.tier_reason(change, book.programme),
            imported=change.imported,
            rose=level_of(change.tier) > level_of(change.previous),
        ),
    )
    return Outgoing("loyalty", subject, announced)


def _tier_notice(notice: TierNotice, programme: Programme) -> Outgoing:
    subject = str(notice.member_id)
    falls_at = f"{notice.falls_at.timestamp():.6f}"
    announced = TierNoticed(
        id=ids.derived_id(notice.member_id, f"tier.notice.v1:{notice.tier}:{falls_at}"),
        source=SOURCE,
        time=notice.at,
        subject=subject,
        data=TierWarning(
            member_id=notice.member_id,
            tier=notice.tier,
            falls_to=notice.falls_to,
            falls_at=notice.falls_at,
            measure=programme.tier_policy.measure,
            missing=notice.stay.missing,
            until=notice.stay.last_day,
            explain=explain.tier_notice(notice, programme),
        ),
    )
    return Outgoing("loyalty", subject, announced)


async def _member_states(tx: Tx, changes: Sequence[TierChange]) -> list[Outgoing]:
    """Write the last tier of each member to ``members``, which carries it."""
    newest = {change.member_id: change.tier for change in changes}
    changed = await members.update_tiers(tx, newest)
    known = await members.list_identifiers(tx, [member.member_id for member in changed])
    now = changes[-1].at
    return [member_events.state(member, known[member.member_id], at=now) for member in changed]
