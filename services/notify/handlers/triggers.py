"""Events that ask for messages."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.notify.context import NotifyContext
from services.notify.domain import gates, matrix, planning
from services.notify.domain.planning import AccountNews, NewOffer, Plan
from services.notify.handlers import announce
from services.notify.handlers.announce import Told
from services.notify.store import members, messages, offers
from services.notify.store.messages import NewMessage
from services.notify.store.offers import OfferRow
from shared.contracts.loyalty import (
    ApprovalDecided,
    LoyaltyEvent,
    PointsAwarded,
    PointsEarned,
    PointsExpiring,
    PointsSpent,
    TierChanged,
    TierNoticed,
)
from shared.contracts.offers import OfferEvent, OfferIssued, OfferRedeemed
from shared.db import Tx

News = PointsEarned | PointsAwarded | PointsExpiring | ApprovalDecided | TierChanged | TierNoticed
NEWS = (PointsEarned, PointsAwarded, PointsExpiring, ApprovalDecided, TierChanged, TierNoticed)
"""What members are told of their account."""


async def on_offers(tx: Tx, events: Sequence[OfferEvent], context: NotifyContext) -> None:
    """Collect issued offers into digests; note which offers are used."""
    now = context.clock.now()
    issued = [event for event in events if isinstance(event, OfferIssued)]
    fresh = await offers.append_offers(tx, [_offer_row(event) for event in issued])
    await offers.update_states(
        tx,
        {
            event.data.offer_id: "redeemed" if isinstance(event, OfferRedeemed) else "issued"
            for event in events
            if not isinstance(event, OfferIssued)
        },
    )
    new = [
        NewOffer(
            event_id=event.id,
            offer_id=event.data.offer_id,
            member_id=event.data.member_id,
            campaign=event.data.campaign,
            issued_at=event.time,
            stale=gates.is_stale(event.time, now, context.dispatch.limits),
        )
        for event in issued
        if event.data.offer_id in fresh
    ]
    keys = sorted({(one.member_id, one.collect_key) for one in new if not one.stale})
    digests = planning.collect(new, await messages.lock_open_digests(tx, keys))
    await ask(
        tx, digests.plans, now=now, not_before=now + context.dispatch.collect, context=context
    )
    await offers.append_contents(tx, digests.contents)


def _offer_row(event: OfferIssued) -> OfferRow:
    issue = event.data
    return OfferRow(
        offer_id=issue.offer_id,
        member_id=issue.member_id,
        title=issue.title,
        reason=issue.reason,
        percent=issue.discount.percent,
        amount_minor=issue.discount.amount_minor,
        currency=issue.currency,
        valid_from=issue.valid_from,
        valid_until=issue.valid_until,
    )


async def on_loyalty(tx: Tx, events: Sequence[LoyaltyEvent], context: NotifyContext) -> None:
    """Tell of points earned, given, decided on or about to end, of tiers reached or about to end.

    In the inbox; by mail for who asked for it, and of a tier about to end for who did not object.
    """
    since = _since(events)
    await messages.outdate_awards(tx, since.taken_back)
    await messages.outdate_tiers(tx, since.tiers)
    news = [event for event in events if isinstance(event, NEWS) and _is_news(event)]
    if news:
        await _tell(tx, news, since.outdated, context)
    await messages.lessen(
        tx,
        [
            (event.data.member_id, event.time, event.data.points)
            for event in events
            if isinstance(event, PointsSpent)
        ],
    )


def _is_news(event: News) -> bool:
    """Whether somebody is told: not of what was taken over from another system, or taken back.

    Of a tier that is lost there was a notice.
    """
    if isinstance(event, PointsEarned):
        return not event.data.imported
    if isinstance(event, TierChanged):
        return event.data.rose and not event.data.imported
    return not isinstance(event, PointsAwarded) or event.data.points > 0


@dataclass(slots=True)
class _Since:
    """What a batch says that makes messages of before untrue, and which of its own."""

    taken_back: set[tuple[UUID, UUID]] = field(default_factory=set[tuple[UUID, UUID]])
    """Member and award."""
    tiers: dict[UUID, str | None] = field(default_factory=dict[UUID, str | None])
    """The last tier of members who moved."""
    outdated: set[UUID] = field(default_factory=set[UUID])
    """Events of the batch that a later one makes untrue."""


def _since(events: Sequence[LoyaltyEvent]) -> _Since:
    """Look at a batch from its end: what comes of one member is in order."""
    since = _Since()
    for event in reversed(events):
        if isinstance(event, PointsAwarded):
            award = (event.data.member_id, event.data.award_id)
            if event.data.points < 0:
                since.taken_back.add(award)
            elif award in since.taken_back:
                since.outdated.add(event.id)
        elif isinstance(event, TierChanged | TierNoticed):
            told, tier = event.data.member_id, event.data.tier
            if since.tiers.get(told, tier) != tier:
                since.outdated.add(event.id)
            if isinstance(event, TierChanged):
                since.tiers.setdefault(told, tier)
    return since


async def _tell(
    tx: Tx, events: Sequence[News], outdated: Collection[UUID], context: NotifyContext
) -> None:
    now = context.clock.now()
    news = [_news(event, outdated=event.id in outdated) for event in events]
    about: dict[matrix.Topic, set[UUID]] = defaultdict(set)
    for one in news:
        about[one.topic].add(one.member_id)
    wanting = {
        topic: await members.list_who_asked(tx, sorted(who), topic, "email")
        for topic, who in about.items()
    }
    plans = [
        planning.account_message(one, channel)
        for one in news
        for channel in _channels(one, wanting[one.topic])
    ]
    await ask(tx, plans, now=now, not_before=now, context=context)


def _channels(news: AccountNews, wanting: Collection[UUID]) -> tuple[matrix.Channel, ...]:
    """Return where to tell it: by mail if it must not be missed, or to who asked for such mails."""
    mailed = news.template == planning.TIER_NOTICE or news.member_id in wanting
    return ("inbox", "email") if mailed else ("inbox",)


def _news(event: News, *, outdated: bool) -> AccountNews:
    topic: matrix.Topic = "points"
    values: Mapping[str, object]
    if isinstance(event, TierNoticed):
        topic, template, values = "tiers", planning.TIER_NOTICE, _notice(event)
    elif isinstance(event, TierChanged):
        topic, template = "tiers", planning.TIER_REACHED
        values = {"name": event.data.tier, "explain": event.data.reason}
    elif isinstance(event, PointsAwarded):
        template, values = planning.AWARDED, _award(event)
    elif isinstance(event, PointsExpiring):
        template, values = planning.EXPIRING, _ending(event)
    elif isinstance(event, ApprovalDecided):
        template, values = planning.DECIDED, _decided(event)
    else:
        template, values = planning.POINTS, _points(event)
    if outdated:
        values = {**values, "outdated": True}
    return AccountNews(event.id, event.data.member_id, topic, template, event.time, values)


def _points(event: PointsEarned) -> Mapping[str, object]:
    return {
        "earned": event.data.points,
        "available": event.data.available,
        "explain": event.data.explain,
    }


def _ending(event: PointsExpiring) -> Mapping[str, object]:
    return {
        "ending": event.data.points,
        "until": event.data.last_day,
        "ends_at": event.data.ends_at.isoformat(),
        "explain": event.data.explain,
    }


def _award(event: PointsAwarded) -> Mapping[str, object]:
    begins_at = event.data.begins_at
    return {
        "award_id": str(event.data.award_id),
        "awarded": event.data.points,
        "available": event.data.available,
        "waiting": begins_at is None or begins_at > event.time,
        "explain": event.data.explain,
    }


def _decided(event: ApprovalDecided) -> Mapping[str, object]:
    return {
        "decided": event.data.points,
        "approved": event.data.verdict == "approved",
        "explain": event.data.explain,
    }


def _notice(event: TierNoticed) -> Mapping[str, object]:
    return {
        "name": event.data.tier,
        "falls_to": event.data.falls_to,
        "falls_at": event.data.falls_at.isoformat(),
        "explain": event.data.explain,
    }


async def ask(
    tx: Tx,
    plans: Sequence[Plan],
    *,
    now: datetime,
    not_before: datetime,
    context: NotifyContext,
) -> None:
    """Write planned messages down; one whose cause is too old is decided against at once."""
    rows: list[NewMessage] = []
    too_old = gates.expired(context.dispatch.limits)
    for plan in plans:
        if gates.is_stale(plan.caused_at, now, context.dispatch.limits):
            rows.append(NewMessage(plan, now, "suppressed", too_old.reason, too_old.checks))
        else:
            rows.append(NewMessage(plan, not_before))
    written = await messages.append_messages(tx, rows, now=now)
    await announce.decided(
        tx,
        [
            Told(
                message_id=row.plan.message_id,
                member_id=row.plan.member_id,
                topic=row.plan.topic,
                channel=row.plan.channel,
                template=row.plan.template,
                cause_id=row.plan.cause_id,
                sent=False,
                checks=too_old.checks,
            )
            for row in rows
            if row.state == "suppressed" and row.plan.message_id in written
        ],
        at=now,
    )
