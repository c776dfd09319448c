"""What is given on an occasion: a birthday, or a new member whom another one brought."""

from dataclasses import dataclass


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
