"""The rewards of a version as a document: what there is for points, for whom, how often, when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from services.loyalty.domain.rewards import Kind, Limit, Reward
from services.loyalty.settings.parts import Document, Name, RuleId, Title, wrong

REWARDS_MAX = 500
TIERS_MAX = 20

_VALUE: Mapping[Kind, str | None] = {
    "product": "sku",
    "percent": "percent",
    "amount": "amount_minor",
    "gift_card": "amount_minor",
    "experience": None,
}
"""By kind the field that says what the member gets."""


def _instant(value: object) -> object:
    """Refuse numbers, which pydantic would take for an instant; YAML has instants of its own."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise PydanticCustomError("calendar", "must be written as in RFC 3339: 2026-11-22…")


RewardInstant = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
    BeforeValidator(_instant),
]


class LimitRule(Document):
    """At most so many for a member: ever, or in a calendar day, month or year of the time zone."""

    times: int = Field(strict=True, ge=1, le=1_000_000)
    per: Literal["ever", "day", "month", "year"]


class RewardRule(Document):
    """Something that a member gets for points; exactly one field says what, by the kind."""

    reward: RuleId
    """The same in each version that has it: stock and what members have taken go by it."""
    title: Title
    points: int = Field(strict=True, ge=1, le=1_000_000_000)
    kind: Kind

    sku: Name | None = None
    """Of a ``product``: what the till hands over."""
    percent: int | None = Field(default=None, strict=True, ge=1, le=100)
    """Of a ``percent``: what the till takes off the purchase."""
    amount_minor: int | None = Field(default=None, strict=True, ge=1, le=2**53 - 1)
    """Of an ``amount``: the same, as money; of a ``gift_card`` what is on it."""

    tiers: Annotated[tuple[Name, ...], Field(max_length=TIERS_MAX)] = ()
    """Who may take it; everybody where none is named."""
    per_member: LimitRule | None = None
    available_from: RewardInstant | None = None
    available_until: RewardInstant | None = None
    """The first instant at which it can not be taken any more."""

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Self:
        wanted = _VALUE[self.kind]
        for name in filter(None, dict.fromkeys(_VALUE.values())):
            given = getattr(self, name) is not None
            if given != (name == wanted):
                must = "must not have" if given else "must have"
                raise wrong("reward", f"a reward of kind {self.kind} {must} {name}")
        return self

    @model_validator(mode="after")
    def _is_available_at_some_time(self) -> Self:
        since, until = self.available_from, self.available_until
        if since is not None and until is not None and since >= until:
            raise wrong("reward", "available_from must be before available_until")
        return self

    def compiled(self) -> Reward:
        """Return the domain's form."""
        limit = self.per_member
        return Reward(
            reward_id=self.reward,
            title=self.title,
            points=self.points,
            kind=self.kind,
            sku=self.sku,
            percent=self.percent,
            amount_minor=self.amount_minor,
            tiers=self.tiers,
            limit=Limit(limit.times, limit.per) if limit else None,
            available_from=self.available_from,
            available_until=self.available_until,
        )
