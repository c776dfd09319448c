"""Which messages a trigger asks for, and their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from services.notify.domain import matrix
from shared import ids

DIGEST = "offers_digest"
POINTS = "points_earned"
EXPIRING = "points_expiring"
AWARDED = "points_awarded"
DECIDED = "approval_decided"
TIER_NOTICE = "tier_notice"
TIER_REACHED = "tier_reached"
DIGEST_CHANNELS: tuple[matrix.Channel, ...] = ("email", "inbox")


@dataclass(frozen=True, slots=True)
class Plan:
    """A message to write down; whether it leaves is decided when it could."""

    message_id: UUID
    member_id: UUID
    topic: matrix.Topic
    channel: matrix.Channel
    template: str
    cause_id: UUID
    caused_at: datetime
    collect_key: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class NewOffer:
    """An offer that was issued just now."""

    event_id: UUID
    offer_id: UUID
    member_id: UUID
    campaign: str
    issued_at: datetime
    stale: bool = False

    @property
    def collect_key(self) -> str:
        """Offers with the same key go into one message: a campaign's of one day (UTC)."""
        return f"{DIGEST}:{self.campaign}:{self.issued_at.astimezone(UTC).date().isoformat()}"


OpenDigests = Mapping[tuple[UUID, str, str], UUID]
"""``(member_id, collect_key, channel)`` → the message that still takes offers in."""


@dataclass(frozen=True, slots=True)
class Digests:
    """New messages, and which offer goes into which message."""

    plans: tuple[Plan, ...]
    contents: tuple[tuple[UUID, UUID], ...]
    """``(message_id, offer_id)``."""


def message_id(cause_id: UUID, template: str, channel: matrix.Channel) -> UUID:
    """Return a message's id: the same trigger makes the same message, however often it comes."""
    return ids.derived_id(cause_id, template, matrix.CHANNELS.index(channel))


def collect(offers: Sequence[NewOffer], open_digests: OpenDigests) -> Digests:
    """Put ``offers`` into one message per member, campaign and day on each channel.

    A message that has not left yet takes more in; one that has left is followed by another.
    """
    plans: list[Plan] = []
    contents: list[tuple[UUID, UUID]] = []

    def key(offer: NewOffer) -> tuple[UUID, str, bool]:
        return offer.member_id, offer.collect_key, offer.stale

    for (member_id, collect_key, stale), together in groupby(sorted(offers, key=key), key):
        # The sort is stable, so the first is still the one that came first.
        group = list(together)
        for channel in DIGEST_CHANNELS:
            found = None if stale else open_digests.get((member_id, collect_key, channel))
            if found is None:
                plan = Plan(
                    message_id=message_id(group[0].event_id, DIGEST, channel),
                    member_id=member_id,
                    topic="offers",
                    channel=channel,
                    template=DIGEST,
                    cause_id=group[0].event_id,
                    caused_at=group[0].issued_at,
                    collect_key=collect_key,
                )
                plans.append(plan)
                found = plan.message_id
            contents.extend((found, offer.offer_id) for offer in group)
    return Digests(tuple(plans), tuple(contents))


@dataclass(frozen=True, slots=True)
class AccountNews:
    """Points that a purchase or a rule gave, or that end soon; a tier reached, or about to end."""

    event_id: UUID
    member_id: UUID
    topic: matrix.Topic
    template: str
    at: datetime
    values: Mapping[str, Any]


def account_message(news: AccountNews, channel: matrix.Channel) -> Plan:
    """Return the message that tells of it."""
    return Plan(
        message_id=message_id(news.event_id, news.template, channel),
        member_id=news.member_id,
        topic=news.topic,
        channel=channel,
        template=news.template,
        cause_id=news.event_id,
        caused_at=news.at,
        values=news.values,
    )
