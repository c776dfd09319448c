"""What a version of the rules gives beside receipts, as a document."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.occasions import Birthday, Referral
from services.loyalty.settings.parts import Document, Names, RuleId, SalesChannel, Title

CHALLENGES_MAX = 20
AwardPoints = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class ChallengeRule(Document):
    """So much in each of so many periods in a row; counted at the receipts' net state.

    A line counts that one of ``categories`` and ``skus`` names, every line without them. A version
    that keeps a challenge keeps what is counted, its goal, period, number of periods and ``once``.
    """

    rule: RuleId
    title: Title
    points: AwardPoints
    count: Literal["visits", "spend_minor", "quantity_milli"]
    """Visits are days on which something was bought."""
    goal: int = Field(strict=True, ge=1, le=10**12)
    """In each period."""
    per: Literal["day", "week", "month", "quarter", "year", "ever"]
    """Of the calendar, where the programme lives; weeks begin on Monday."""
    periods: int = Field(strict=True, default=1, ge=1, le=60)
    """One behind the other."""
    once: bool = False
    """Earned but once, and not with each further run of periods."""
    categories: Names = ()
    skus: Names = ()
    stores: Names = ()
    sales_channels: Annotated[tuple[SalesChannel, ...], Field(max_length=4)] = ()
    minimum_spend_minor: int = Field(strict=True, default=0, ge=0, le=10**12)
    """Paid for the lines of a receipt that count."""

    @model_validator(mode="after")
    def _ever_is_one_period(self) -> Self:
        if self.per == "ever" and self.periods != 1:
            raise PydanticCustomError("challenge", "ever is one period")
        return self

    def compiled(self) -> Challenge:
        """Return the domain's form."""
        return Challenge(
            rule=self.rule,
            title=self.title,
            points=self.points,
            count=self.count,
            goal=self.goal,
            per=self.per,
            periods=self.periods,
            once=self.once,
            skus=frozenset(self.skus),
            categories=frozenset(self.categories),
            stores=frozenset(self.stores),
            sales_channels=frozenset(self.sales_channels),
            minimum_spend_minor=self.minimum_spend_minor,
        )


class BirthdayRule(Document):
    """Points for each birthday of a member who told it, once in a calendar year."""

    rule: RuleId
    title: Title
    points: AwardPoints
    days_before: int = Field(strict=True, default=0, ge=0, le=31)
    """So many days early."""

    def compiled(self) -> Birthday:
        """Return the domain's form."""
        return Birthday(self.rule, self.title, self.points, self.days_before)


class ReferralRule(Document):
    """Points for who brings a new member, and for the new one, after the first purchase."""

    rule: RuleId
    title: Title
    points_referrer: AwardPoints
    points_referred: AwardPoints
    minimum_spend_minor: int = Field(strict=True, default=1, ge=1, le=10**12)
    """Paid for that purchase, without what is excluded, after what came back."""
    within_days: int = Field(strict=True, default=90, ge=1, le=730)
    """After the enrolment."""
    return_days: int = Field(strict=True, default=14, ge=0, le=366)
    """Both sides wait so long after the purchase; it must still be worth the minimum then."""
    per_year: int = Field(strict=True, default=20, ge=1, le=10_000)
    """For so many in a calendar year the referrer earns."""

    def compiled(self) -> Referral:
        """Return the domain's form."""
        return Referral(
            rule=self.rule,
            title=self.title,
            points_referrer=self.points_referrer,
            points_referred=self.points_referred,
            minimum_spend_minor=self.minimum_spend_minor,
            within_days=self.within_days,
            return_days=self.return_days,
            per_year=self.per_year,
        )
