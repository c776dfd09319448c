"""Challenges: how far a member has come."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.challenges import Challenge, Count
from services.loyalty.domain.explain import money
from services.loyalty.domain.periods import Per
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import challenges
from services.loyalty.handlers.challenges import Standing
from shared import auth
from shared.http import pages

router = APIRouter(prefix="/v1/members/{member_id}", tags=["challenges"])

DESK = Depends(auth.require("terminal", "app", "staff", "admin"))


class ChallengeShape(BaseModel):
    """What a challenge asks for."""

    rule: str
    title: str
    count: Count
    """What is counted: days with a purchase, money, or thousandths of sales units."""
    goal: int
    """In each period."""
    per: Per
    periods: int
    """In so many, one behind the other."""


class ChallengeView(ChallengeShape):
    """A challenge of the rules in force, and how far a member has come with it."""

    points: int
    """What it gives each time."""
    once: bool
    first_day: date | None
    """Of the period that is going on, where the programme lives; null where it is for ever."""
    last_day: date | None
    so_far: int
    """In that period, after what came back."""
    missing: int
    """To reach the goal in it."""
    periods_reached: int
    """Of the run that is going on, this period too once it is reached."""
    earned: int
    """How often the member has earned it."""
    last_earned_at: datetime | None
    words: str


@router.get("/challenges", dependencies=[DESK])
async def list_challenges(member_id: UUID, context: Ctx) -> pages.Page[ChallengeView]:
    """List the challenges in force with the member's progress, by the order of the rules."""
    async with context.db.transaction() as tx:
        found = await challenges.standings(tx, member_id, context)
    return pages.Page(data=[_view(one, context.programme) for one in found], next_cursor=None)


def shape(challenge: Challenge) -> dict[str, Any]:
    """Return the fields of ``ChallengeShape``."""
    return ChallengeShape.model_validate(challenge, from_attributes=True).model_dump()


def _view(one: Standing, programme: Programme) -> ChallengeView:
    challenge = one.challenge
    return ChallengeView(
        **shape(challenge),
        points=challenge.points,
        once=challenge.once,
        first_day=one.first_day,
        last_day=one.last_day,
        so_far=one.so_far,
        missing=max(0, challenge.goal - one.so_far),
        periods_reached=one.streak,
        earned=one.earned,
        last_earned_at=one.last_earned_at,
        words=_words(one, programme),
    )


def _words(one: Standing, programme: Programme) -> str:
    challenge = one.challenge
    until = f" until {one.last_day}" if one.last_day else ""
    if challenge.count == "spend_minor":
        counted = f"{money(one.so_far, programme)} of {money(challenge.goal, programme)}"
    elif challenge.count == "visits":
        counted = f"{one.so_far} of {challenge.goal} visits"
    else:
        counted = f"{one.so_far / 1_000:g} of {challenge.goal / 1_000:g}"
    words = f"{counted}{until}"
    if challenge.periods > 1:
        words += f"; {one.streak} of {challenge.periods} {challenge.per}s in a row"
    return f"{words}."
