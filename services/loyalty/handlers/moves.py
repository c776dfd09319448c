"""Events of what moves points, beside receipts and what passes between merged members."""

from collections.abc import Callable, Mapping

from services.loyalty.domain import explain
from services.loyalty.domain.accounts import REDEEMED
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.postings import Move
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.why import Why
from services.loyalty.handlers.member_events import SOURCE
from shared import ids
from shared.contracts.envelope import Event
from shared.contracts.loyalty import (
    AwardMovement,
    Correction,
    LotBegin,
    LotEnd,
    OpeningLot,
    PointsActivated,
    PointsAdjusted,
    PointsAwarded,
    PointsExpired,
    PointsOpened,
    PointsRestored,
    PointsSpent,
    PointsWrittenOff,
    Spending,
    WriteOff,
)
from shared.db.outbox import Outgoing


def told(move: Move, programme: Programme) -> Outgoing:
    """Return the event of a movement in ``ANNOUNCED``; its id is derived from its cause."""
    event = _MAKE[move.why](move, explain.move_in_short(move, programme))
    return Outgoing("loyalty", str(move.member_id), event)


def _opened(move: Move, words: str) -> PointsOpened:
    assert move.ends_at is not None  # every lot that is brought over has an end
    return PointsOpened(
        id=ids.derived_id(move.about, "points.opened.v1"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=OpeningLot(
            member_id=move.member_id,
            lot_id=move.about,
            points=move.points,
            available=move.legs[-1].available_after,
            earned_at=move.occurred_at,
            expires_at=move.ends_at,
            explain=words,
        ),
    )


def _begun(move: Move, words: str) -> PointsActivated:
    moved = sum(leg.points for leg in move.legs)
    return PointsActivated(
        id=ids.derived_id(move.cause_id, "points.activated.v1"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=LotBegin(
            member_id=move.member_id,
            lot_id=move.about,
            points=-moved if move.waits else moved,
            available=move.legs[-1].available_after,
            expires_at=move.ends_at,
            explain=words,
        ),
    )


def _ended(move: Move, words: str) -> PointsExpired:
    return PointsExpired(
        id=ids.derived_id(move.cause_id, "points.expired.v1"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=LotEnd(
            member_id=move.member_id,
            lot_id=move.about,
            points=-move.points,
            available=move.legs[-1].available_after,
            explain=words,
        ),
    )


def _spent(move: Move, words: str) -> PointsSpent | PointsRestored:
    kind = PointsSpent if move.why == "capture" else PointsRestored
    spent = sum(leg.points for leg in move.legs if REDEEMED in (leg.from_account, leg.to_account))
    name = kind.model_fields["type"].default
    return kind(
        id=ids.derived_id(move.cause_id, f"{name}:{move.about}"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=Spending(
            member_id=move.member_id,
            hold_id=move.about,
            receipt_id=move.receipt_id,
            points=spent,
            available=move.legs[-1].available_after,
            explain=words,
            reward_id=move.reward_id,
        ),
    )


def _corrected(move: Move, words: str) -> PointsAdjusted:
    assert move.reason is not None  # every adjustment has one
    return PointsAdjusted(
        id=ids.derived_id(move.about, "points.adjusted.v1"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=Correction(
            member_id=move.member_id,
            adjustment_id=move.about,
            points=move.points,
            available=move.legs[-1].available_after,
            expires_at=move.ends_at,
            reason=move.reason,
            explain=words,
        ),
    )


def _awarded(move: Move, words: str) -> PointsAwarded:
    assert move.rule is not None  # each is by one
    assert move.programme_version is not None
    return PointsAwarded(
        # One cause may move several, and one of them more than once in its life.
        id=ids.derived_id(move.cause_id, f"points.awarded.v1:{move.about}"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=AwardMovement(
            member_id=move.member_id,
            award_id=move.about,
            rule=move.rule,
            points=move.points,
            available=move.legs[-1].available_after,
            begins_at=None if move.begins_at == NEVER else move.begins_at,
            expires_at=move.ends_at,
            programme_version=move.programme_version,
            explain=words,
        ),
    )


def _written_off(move: Move, words: str) -> PointsWrittenOff:
    return PointsWrittenOff(
        id=ids.derived_id(move.cause_id, "points.written_off.v1"),
        source=SOURCE,
        time=move.occurred_at,
        subject=str(move.member_id),
        data=WriteOff(
            member_id=move.member_id,
            points=move.points,
            available=move.legs[-1].available_after,
            explain=words,
        ),
    )


_MAKE: Mapping[Why, Callable[[Move, str], Event]] = {
    "opening": _opened,
    "activation": _begun,
    "capture": _spent,
    "returned": _spent,
    "expiry": _ended,
    "adjustment": _corrected,
    "award": _awarded,
    "loss": _written_off,
}
ANNOUNCED = frozenset(_MAKE)
"""Causes of movements that others hear of."""
