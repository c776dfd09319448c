"""Issuing: a pass over all members in chunks, each chunk one transaction.

Safe to run twice and to die anywhere. The run's row holds the cursor, the budget spent and the
instant that the pass looks from; a chunk locks it, issues, moves it and commits. A member who has
offers of the campaign in the period gets no more, so a second pass only adds those who had none.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.offers.context import SOURCE, OffersContext
from services.offers.domain import planning
from services.offers.domain.planning import CampaignTerms, Draft, Shopper
from services.offers.domain.ranking import Candidate
from services.offers.handlers import campaigns as campaign_handlers
from services.offers.store import campaigns, candidates, offers
from services.offers.store.tables import Row
from shared import ids
from shared.contracts.offers import OfferDiscount, OfferIssue, OfferIssued
from shared.db import Tx, outbox, run_unit
from shared.errors import Refused

HABITS_READ = 50
POPULAR_READ = 100
"""Per chunk of 200 members at most 200 · (50 habits + 100 popular) candidates are in memory:
about 30,000 small objects, 20 MB."""

Run = Row


async def issue(context: OffersContext, code: str, *, within_s: float) -> Run:
    """Start a pass, or go on with one that was cut off; return the run as it then stands.

    Stops between chunks after ``within_s``, at the earliest after one; its state is then
    ``running``, and the job (or the next call) goes on from there.
    """
    deadline = time.monotonic() + within_s
    await refresh_popularity(context)
    run = await run_unit(context.db, lambda tx: _begin(tx, code, context))
    period = run["period"]
    while run["state"] == "running":
        run = await run_unit(context.db, lambda tx: _issue_chunk(tx, code, period, context))
        if time.monotonic() >= deadline:
            break
    return run


async def refresh_popularity(context: OffersContext) -> bool:
    """Sum popularity anew if it has grown old; the job's own interval is the same age."""
    return await run_unit(
        context.db,
        lambda tx: candidates.refresh_popularity(
            tx, now=context.clock.now(), max_age_s=context.popularity_max_age_s
        ),
    )


async def is_due(tx: Tx, code: str, *, every: timedelta, context: OffersContext) -> bool:
    """Whether the job should run a campaign: cut off, or last finished ``every`` ago or longer."""
    row = await campaigns.load_campaign(tx, code)
    if row is None or row["published"] is None:
        return False
    run = await campaigns.lock_run(tx, code, _period(row, context))
    if run is None or run["state"] == "running" or run["finished_at"] is None:
        return True
    return context.clock.now() - run["finished_at"] >= every


def _period(row: Row, context: OffersContext) -> str:
    return planning.period_key(context.clock.now(), row["published"]["period"], context.zone)


async def _begin(tx: Tx, code: str, context: OffersContext) -> Run:
    """Lock the period's run; begin a new pass unless one is under way."""
    row = await campaign_handlers.load(tx, code)
    document = row["published"]
    if document is None:
        raise Refused("campaign_not_published", f"Campaign {code!r} has not been published.")
    now, period = context.clock.now(), _period(row, context)
    await campaigns.insert_run(tx, code, period, budget_minor=document["budget_minor"], now=now)
    run = await campaigns.lock_run(tx, code, period)
    assert run is not None  # inserted or found above
    if run["state"] == "running":
        return run
    count = await campaigns.count_eligible(
        tx, code, period, min_purchases=document["min_purchases"]
    )
    return await campaigns.update_run(
        tx,
        code,
        period,
        state="running",
        pass_no=run["pass_no"] + 1,
        as_of=now,
        cursor=None,
        members_left=count,
        # A budget cut below what is already promised stops issuing; it takes nothing back.
        budget_minor=max(document["budget_minor"], run["spent_minor"]),
        finished_at=None,
    )


async def _issue_chunk(tx: Tx, code: str, period: str, context: OffersContext) -> Run:
    """Issue to the next members of the pass; the run's lock makes two processes take turns."""
    run = await campaigns.lock_run(tx, code, period)
    document = (await campaign_handlers.load(tx, code))["published"]
    assert run is not None  # runs are never deleted
    if run["state"] == "done":
        return run
    members = await campaigns.list_eligible(
        tx, run, min_purchases=document["min_purchases"], limit=context.issue_chunk_members
    )
    if not members:
        return await campaigns.update_run(
            tx, code, period, state="done", members_left=0, finished_at=context.clock.now()
        )
    terms = campaign_terms(code, document, context)
    shoppers = await load_shoppers(tx, members, context)
    plans = [planning.plan(terms, shopper, run["as_of"]) for shopper in shoppers]
    drafts = planning.allocate(plans, _allowance_minor(run, len(members)))
    issued = await _write(tx, drafts, terms=terms, run=run)
    return await campaigns.update_run(
        tx,
        code,
        period,
        cursor=members[-1],
        members_left=max(0, run["members_left"] - len(members)),
        offers=run["offers"] + len(issued),
        spent_minor=run["spent_minor"] + sum(draft.expected_cost_minor for draft in issued),
    )


def _allowance_minor(run: Run, members: int) -> int:
    """Return the chunk's fair share of what is left; what it does not need goes to the next."""
    left: int = run["budget_minor"] - run["spent_minor"]
    return left * members // max(members, run["members_left"])


def campaign_terms(code: str, document: Mapping[str, Any], context: OffersContext) -> CampaignTerms:
    """Return what planning needs of a published document."""
    pool = document["pool"]
    return CampaignTerms(
        code=code,
        title=document["title"],
        currency=document["currency"],
        k=document["k"],
        depth_percent=document["depth_percent"],
        validity=timedelta(days=document["validity_days"]),
        margin_floor_percent=document["margin_floor_percent"],
        exclude_skus=frozenset(pool["exclude_skus"]),
        exclude_categories=frozenset(
            [*pool["exclude_categories"], *context.scope.excluded_categories]
        ),
        include_categories=frozenset(pool["include_categories"]),
    )


async def load_shoppers(tx: Tx, members: Sequence[UUID], context: OffersContext) -> list[Shopper]:
    """Return members with their candidates, in four statements for the whole chunk."""
    totals = await candidates.load_totals(tx, members)
    habits = await candidates.list_habits(tx, members, scope=context.scope, limit=HABITS_READ)
    popular = await candidates.list_popular(tx, scope=context.scope, limit=POPULAR_READ)
    bought = await candidates.list_bought(tx, members, [one.sku for one in popular])
    return [
        Shopper(
            member_id=member_id,
            visits_weight=totals[member_id].weight,
            candidates=[*habits.get(member_id, ()), *_fresh(member_id, popular, bought)],
        )
        for member_id in members
    ]


def _fresh(
    member_id: UUID, popular: Sequence[Candidate], bought: set[tuple[UUID, str]]
) -> list[Candidate]:
    return [one for one in popular if (member_id, one.sku) not in bought]


async def _write(tx: Tx, drafts: Sequence[Draft], *, terms: CampaignTerms, run: Run) -> list[Draft]:
    """Insert the offers and their events; return the drafts that became offers."""
    by_id = {offer_id(draft, run): draft for draft in drafts}
    rows = [_row(one, draft, terms=terms, run=run) for one, draft in sorted_by_id(by_id)]
    inserted = await offers.insert_offers(tx, rows)
    written = [row for row in rows if row["offer_id"] in inserted]
    await outbox.append(tx, [_announce(row) for row in written])
    return [by_id[row["offer_id"]] for row in written]


def sorted_by_id(drafts: Mapping[UUID, Draft]) -> list[tuple[UUID, Draft]]:
    """Return offers in the order in which every transaction writes them."""
    return sorted(drafts.items(), key=lambda pair: pair[0])


def offer_id(draft: Draft, run: Run) -> UUID:
    """Return the id that this slot has whenever and wherever it is issued."""
    return ids.derived_id(draft.member_id, f"offer:{run['code']}:{run['period']}", draft.slot)


def _row(one: UUID, draft: Draft, *, terms: CampaignTerms, run: Run) -> dict[str, Any]:
    as_of: datetime = run["as_of"]
    candidate = draft.candidate
    return {
        "offer_id": one,
        "member_id": draft.member_id,
        "campaign": terms.code,
        "period": run["period"],
        "slot": draft.slot,
        "kind": draft.kind,
        "title": planning.title(terms, draft),
        "reason": draft.reason,
        "sku": candidate.sku,
        "product_name": candidate.name,
        "percent": draft.percent,
        "currency": terms.currency,
        "margin_floor_percent": terms.margin_floor_percent,
        "expected_cost_minor": draft.expected_cost_minor,
        "valid_from": as_of,
        "valid_until": as_of + terms.validity,
    }


def _announce(row: Mapping[str, Any]) -> outbox.Outgoing:
    key = str(row["member_id"])
    event = OfferIssued(
        id=ids.derived_id(row["offer_id"], "offer.issued.v1"),
        source=SOURCE,
        time=row["valid_from"],
        subject=key,
        data=OfferIssue(
            offer_id=row["offer_id"],
            member_id=row["member_id"],
            campaign=row["campaign"],
            title=row["title"],
            reason=row["reason"],
            sku=row["sku"],
            discount=OfferDiscount(kind="percent", percent=row["percent"]),
            currency=row["currency"],
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
        ),
    )
    return outbox.Outgoing("offers", key, event)
