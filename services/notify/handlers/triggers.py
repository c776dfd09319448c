"""Events that ask for messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.notify.context import NotifyContext
from services.notify.domain import gates, matrix, planning
from services.notify.domain.planning import NewOffer, Plan, PointsNews
from services.notify.handlers import announce
from services.notify.handlers.announce import Told
from services.notify.store import members, messages, offers
from services.notify.store.messages import NewMessage
from services.notify.store.offers import OfferRow
from shared.contracts.loyalty import LoyaltyEvent, PointsEarned, PointsExpiring, PointsSpent
from shared.contracts.offers import OfferEvent, OfferIssued, OfferRedeemed
from shared.db import Tx


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
    """Tell of points earned or about to end: in the inbox, and by mail for who asked for it."""
    now = context.clock.now()
    # Of what was taken over from another system nobody is told: it is no news.
    news = [
        event
        for event in events
        if isinstance(event, PointsExpiring)
        or (isinstance(event, PointsEarned) and not event.data.imported)
    ]
    if news:
        await _tell(tx, news, now, context)
    await messages.lessen(
        tx,
        [
            (event.data.member_id, event.time, event.data.points)
            for event in events
            if isinstance(event, PointsSpent)
        ],
    )


async def _tell(
    tx: Tx, news: Sequence[PointsEarned | PointsExpiring], now: datetime, context: NotifyContext
) -> None:
    member_ids = sorted({event.data.member_id for event in news})
    by_mail = await members.list_who_asked(tx, member_ids, "points", "email")
    plans = [
        planning.points_message(_news(event), channel)
        for event in news
        for channel in _points_channels(event.data.member_id, by_mail)
    ]
    await ask(tx, plans, now=now, not_before=now, context=context)


def _news(event: PointsEarned | PointsExpiring) -> PointsNews:
    template, values = (
        (planning.EXPIRING, _ending(event))
        if isinstance(event, PointsExpiring)
        else (planning.POINTS, _points(event))
    )
    return PointsNews(event.id, event.data.member_id, template, event.time, values)


def _points_channels(member_id: UUID, by_mail: set[UUID]) -> tuple[matrix.Channel, ...]:
    return ("inbox", "email") if member_id in by_mail else ("inbox",)


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
