"""What is given on an occasion: a birthday, or a new member whom another one brought."""

import calendar
from dataclasses import dataclass
from datetime import date

from services.loyalty.domain.bonuses import BIRTHDAYS

LEAP_DAY = (2, 29)


def birthday(born: date | None, day: date) -> int:
    """Return whether a day is the birthday of who was born then, or in its month (``BIRTHDAYS``).

    Who was born on the 29th of February has it on the 28th in other years.
    """
    if born is None or born.month != day.month:
        return 0
    on = born.day
    if (born.month, born.day) == LEAP_DAY and not calendar.isleap(day.year):
        on = 28
    return BIRTHDAYS["month"] | (BIRTHDAYS["day"] if on == day.day else 0)


@dataclass(frozen=True, slots=True)
class Birthday:
    """Points for each birthday."""

    rule: str
    title: str
    points: int
    days_before: int = 0
    """So many days early, so that they can be spent on the day."""


@dataclass(frozen=True, slots=True)
class Referral:
    """Points for both sides, once the new member's first purchase is past its return window."""

    rule: str
    title: str
    points_referrer: int
    points_referred: int
    minimum_spend_minor: int
    """Of that purchase, without what is excluded."""
    within_days: int
    """So long after the enrolment it counts."""
    return_days: int
    """So long after the purchase both sides wait."""
    per_year: int
    """The referrer earns for so many in a calendar year; the others are not refused for it."""
