"""What a receipt at its net state is worth; a pure function of receipt and programme."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

from services.loyalty.domain.programme import Programme, Version

FIELDS_PER_LINE = 4
"""A settlement's ``lines`` is flat: line_no, amount_minor, index of the rate, points; repeated."""


class Line(Protocol):
    """A line at its net state."""

    @property
    def line_no(self) -> int:
        """Its number on the receipt."""
        ...

    @property
    def category(self) -> str | None:
        """Of the product; None where it is not known."""
        ...

    @property
    def amount_minor(self) -> int:
        """Paid for what was kept of it."""
        ...


class Receipt(Protocol):
    """What of a receipt decides its points."""

    @property
    def currency(self) -> str:
        """ISO 4217."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """When the sale happened."""
        ...

    @property
    def lines(self) -> Iterable[Line]:
        """Each at its net state."""
        ...


class Settlement(NamedTuple):
    """What a receipt should have earned, and the arithmetic behind it."""

    points: int
    qualifying_minor: int
    lines: list[int]
    version: Version | None
    """The rules that were in force; None when there were none for this receipt."""


def settle(receipt: Receipt, programme: Programme) -> Settlement:
    """Return what the net state of ``receipt`` is worth by the rules in force when it happened.

    Rounding: each line once, down to whole points. So a part of a line that comes back takes
    back the difference between two such results, whatever the number of steps it took.
    """
    version = programme.in_force(receipt.occurred_at)
    if version is None or receipt.currency != programme.currency:
        return Settlement(0, 0, [], None)
    return _settle(receipt.lines, version, programme.minor_per_unit)


def _settle(lines: Iterable[Line], version: Version, minor_per_unit: int) -> Settlement:
    # The hottest loop of the service: one look-up a line, and one flat list for the explanation.
    rate_of = version.rate_of.get
    base = version.base
    rates = version.rates
    total = qualifying = 0
    explained: list[int] = []
    for line in lines:
        amount = line.amount_minor
        if amount <= 0:
            continue
        index, per_unit = rate_of(line.category, base)
        points = amount * per_unit // minor_per_unit
        total += points
        if per_unit or rates[index].qualifies:
            qualifying += amount
        explained += (line.line_no, amount, index, points)
    return Settlement(total, qualifying, explained, version)
