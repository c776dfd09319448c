"""Campaigns, and how far issuing has come in each period."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.offers.store.tables import (
    Row,
    campaign,
    campaign_run,
    member,
    member_total,
    offer,
)
from shared.db import Tx

COUNT_TIMEOUT_MS = 60_000


async def upsert_draft(tx: Tx, code: str, document: Mapping[str, Any], now: datetime) -> Row:
    """Keep ``document`` as the campaign's draft; what is published stays as it is."""
    statement = insert(campaign).values(
        code=code, status="draft", draft=dict(document), updated_at=now
    )
    upsert = statement.on_conflict_do_update(
        index_elements=[campaign.c.code],
        set_={"draft": statement.excluded.draft, "updated_at": statement.excluded.updated_at},
    ).returning(campaign)
    return (await tx.execute(upsert)).mappings().one()


async def publish_draft(tx: Tx, code: str, now: datetime) -> Row | None:
    """Make the draft what issuing goes by; None where there is no such campaign."""
    statement = (
        campaign.update()
        .values(status="published", published=campaign.c.draft, published_at=now)
        .where(campaign.c.code == code)
        .returning(campaign)
    )
    return (await tx.execute(statement)).mappings().one_or_none()


async def load_campaign(tx: Tx, code: str) -> Row | None:
    """Return one campaign."""
    query = sa.select(campaign).where(campaign.c.code == code)
    return (await tx.execute(query)).mappings().one_or_none()


async def list_campaigns(tx: Tx, *, after: str, limit: int) -> Sequence[Row]:
    """Return campaigns by code."""
    query = (
        sa.select(campaign).where(campaign.c.code > after).order_by(campaign.c.code).limit(limit)
    )
    return (await tx.execute(query)).mappings().all()


async def list_published_codes(tx: Tx) -> Sequence[str]:
    """Return the codes of the campaigns that issue."""
    query = sa.select(campaign.c.code).where(campaign.c.status == "published")
    return (await tx.scalars(query.order_by(campaign.c.code))).all()


async def lock_run(tx: Tx, code: str, period: str) -> Row | None:
    """Lock and return the run of a campaign in a period."""
    query = sa.select(campaign_run).where(
        campaign_run.c.code == code, campaign_run.c.period == period
    )
    return (await tx.execute(query.with_for_update())).mappings().one_or_none()


async def insert_run(tx: Tx, code: str, period: str, *, budget_minor: int, now: datetime) -> None:
    """Make the run, done with its pass 0, unless it exists."""
    statement = insert(campaign_run).values(
        code=code,
        period=period,
        state="done",
        pass_no=0,
        as_of=now,
        members_left=0,
        offers=0,
        budget_minor=budget_minor,
        spent_minor=0,
    )
    await tx.execute(statement.on_conflict_do_nothing())


async def update_run(tx: Tx, code: str, period: str, **values: Any) -> Row:  # noqa: ANN401  columns
    """Write columns of a run that is locked; return the whole row."""
    statement = (
        campaign_run.update()
        .values(**values)
        .where(campaign_run.c.code == code, campaign_run.c.period == period)
        .returning(campaign_run)
    )
    return (await tx.execute(statement)).mappings().one()


def _eligible(code: str, period: str, min_purchases: int) -> "sa.ColumnElement[bool]":
    """Active members with enough purchases and no offer of the campaign in the period yet."""
    issued = (
        sa.select(offer.c.offer_id)
        .where(
            offer.c.member_id == member_total.c.member_id,
            offer.c.campaign == code,
            offer.c.period == period,
        )
        .exists()
    )
    active = (
        sa.select(member.c.member_id)
        .where(member.c.member_id == member_total.c.member_id, member.c.status == "active")
        .exists()
    )
    return sa.and_(member_total.c.purchases >= min_purchases, active, ~issued)


async def count_eligible(tx: Tx, code: str, period: str, *, min_purchases: int) -> int:
    """Return how many members a pass will go over. Reads all members once."""
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {COUNT_TIMEOUT_MS}"))
    query = sa.select(sa.func.count()).select_from(member_total)
    return (await tx.scalars(query.where(_eligible(code, period, min_purchases)))).one()


async def list_eligible(tx: Tx, run: Row, *, min_purchases: int, limit: int) -> Sequence[UUID]:
    """Return the next members of the run by id, behind its cursor."""
    query = (
        sa.select(member_total.c.member_id)
        .where(_eligible(run["code"], run["period"], min_purchases))
        .order_by(member_total.c.member_id)
        .limit(limit)
    )
    if run["cursor"] is not None:
        query = query.where(member_total.c.member_id > run["cursor"])
    return (await tx.scalars(query)).all()
