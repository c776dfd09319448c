"""The terms of points in a version's document: from when until when, and what lacks."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from services.loyalty.domain.programme import Shortfall, Taken
from services.loyalty.domain.terms import Expiry, Pending, Unit, Until
from services.loyalty.settings.parts import Document, wrong


class ExpiryRule(Document):
    """So long after the sale, to the end of that day (``days``), month or year; or ``never``.

    Or ``inactive_months`` after the member last earned or spent points, to the end of that day.
    """

    never: Literal[True] | None = None
    days: int | None = Field(default=None, strict=True, ge=1, le=7_300)
    months: int | None = Field(default=None, strict=True, ge=1, le=240)
    years: int | None = Field(default=None, strict=True, ge=1, le=20)
    inactive_months: int | None = Field(default=None, strict=True, ge=1, le=240)
    until: Literal["day", "month", "year"] | None = None
    """The end of what; without it that of the unit."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        ways = ("never", "inactive_months", *_UNTIL)
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1 or (given[0] not in _UNTIL and self.until):
            message = "must be one of never, days, months, years and inactive_months"
            raise wrong("expiry", message)
        return self

    def compiled(self) -> Expiry:
        """Return the domain's form."""
        for unit, until in _UNTIL.items():
            after: int | None = getattr(self, unit)
            if after is not None:
                return Expiry(after, unit, self.until or until)
        return Expiry(inactive_months=self.inactive_months)


_UNTIL: Mapping[Unit, Until] = {"days": "day", "months": "month", "years": "year"}


class PendingRule(Document):
    """Points can be spent only ``days`` after the day of the sale, or once goods were handed over.

    They begin with the day, where the programme lives. Points of a receipt that is worth more
    than ``approval_above`` wait for the staff, too.
    """

    days: int = Field(default=0, strict=True, ge=0, le=366)
    fulfilment: bool = False
    """Whether points of an order wait until all of it was delivered."""
    approval_above: int | None = Field(default=None, strict=True, ge=0, le=1_000_000_000)
    """In points, before caps: a receipt that is worth more waits as a whole."""

    @model_validator(mode="after")
    def _waits_for_something(self) -> Self:
        if not (self.days or self.fulfilment or self.approval_above is not None):
            raise wrong("pending", "must wait for days, for fulfilment or for approval")
        return self

    def compiled(self) -> Pending:
        """Return the domain's form."""
        return Pending(self.days, self.fulfilment, self.approval_above)


class ReturnsRule(Document):
    """What goods that come back take, and what happens where points that are taken are spent."""

    shortfall: Shortfall = "debt"
    """The next points repay it, or the shop bears it and the member goes down to zero."""
    take: Taken = "all"
    """Whether goods that come back take all their points, or only while these are pending."""
