"""Campaigns: put a document, publish it, issue by it."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, field_validator

from services.offers.api.fields import Amount, CampaignCode, Code, Ctx, Currency, Label
from services.offers.handlers import campaigns, issue
from services.offers.store import campaigns as campaign_store
from services.offers.store.tables import Row
from shared import auth
from shared.db import run_unit
from shared.http import pages
from shared.http.app import DEADLINE_EXTENSION
from shared.http.models import Request
from shared.http.names import bare

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

MARKETERS = Depends(auth.require("marketer", "admin"))
READERS = Depends(auth.require("marketer", "staff", "admin"))
ISSUE_WITHIN_S = 20.0
"""A request goes on for so long; the job finishes what is left."""

Percent = Annotated[int, Field(strict=True, ge=1, le=90)]


class Depths(Request):
    """How deep the discount is, by the kind of offer."""

    due: Percent
    """What the member is about to buy again."""
    habit: Percent
    discovery: Percent
    """What is popular and new to the member."""


class Pool(Request):
    """What may be offered. The shop's pseudo-categories are never part of it."""

    exclude_skus: Annotated[tuple[Code, ...], Field(max_length=10_000)] = ()
    exclude_categories: Annotated[tuple[Label, ...], Field(max_length=1_000)] = ()
    include_categories: Annotated[tuple[Label, ...], Field(max_length=1_000)] = ()
    """Only these, where any are named."""


class CampaignDocument(Request):
    """A campaign, as a marketer declares it."""

    title: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")] = (
        "{percent} % off {name}"
    )
    """Wording of each offer; ``{percent}`` and ``{name}`` are filled in."""
    k: Annotated[int, Field(strict=True, ge=1, le=20)]
    """Offers per member and period."""
    period: Literal["day", "week", "month"] = "week"
    budget_minor: Amount
    """Most that the offers of one period may be expected to cost."""
    currency: Currency
    depth_percent: Depths
    """One number stands for all three kinds."""
    validity_days: Annotated[int, Field(strict=True, ge=1, le=366)]
    min_purchases: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 3
    """Members with fewer get nothing: we do not know them yet."""
    margin_floor_percent: Annotated[int, Field(strict=True, ge=0, le=95)] | None = None
    """Least margin left after the discount, for products whose cost is known."""
    pool: Pool = Pool()

    @field_validator("depth_percent", mode="before")
    @classmethod
    def _one_for_all(cls, depth: object) -> object:
        if isinstance(depth, int):
            return {"due": depth, "habit": depth, "discovery": depth}
        return depth


class Campaign(BaseModel):
    """A campaign with its draft and what is published of it."""

    code: str
    status: Literal["draft", "published"]
    draft: CampaignDocument
    published: CampaignDocument | None
    updated_at: datetime
    published_at: datetime | None


class Run(BaseModel):
    """How far issuing has come. ``running``: the job goes on with it."""

    campaign: str
    period: str
    state: Literal["running", "done"]
    pass_no: int
    as_of: datetime
    offers: int
    """Issued in this period so far."""
    members_left: int
    budget_minor: int
    spent_minor: int
    """Expected cost of the offers issued in this period."""
    finished_at: datetime | None


CURSOR: pages.Cursor[str] = pages.Cursor(str)


@router.put(f"/{bare('code')}", dependencies=[MARKETERS])
async def put_campaign(code: CampaignCode, body: CampaignDocument, context: Ctx) -> Campaign:
    """Keep the document as the campaign's draft."""
    document = body.model_dump(mode="json")
    row = await run_unit(context.db, lambda tx: campaigns.put(tx, code, document, context))
    return _campaign(row)


@router.get("", dependencies=[READERS])
async def list_campaigns(
    context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[Campaign]:
    """List campaigns by code."""
    after = CURSOR.decode(cursor) or ""
    async with context.db.transaction() as tx:
        rows = await campaign_store.list_campaigns(tx, after=after, limit=limit + 1)
    return CURSOR.page([_campaign(row) for row in rows], limit, lambda one: one.code)


@router.get(f"/{bare('code')}", dependencies=[READERS])
async def get_campaign(code: CampaignCode, context: Ctx) -> Campaign:
    """Return one campaign."""
    async with context.db.transaction() as tx:
        return _campaign(await campaigns.load(tx, code))


@router.post("/{code}:publish", dependencies=[MARKETERS])
async def publish_campaign(code: CampaignCode, context: Ctx) -> Campaign:
    """Make the draft what issuing goes by. Publishing the same again changes nothing."""
    row = await run_unit(context.db, lambda tx: campaigns.publish(tx, code, context))
    return _campaign(row)


@router.post(
    "/{code}:issue",
    dependencies=[MARKETERS],
    openapi_extra={DEADLINE_EXTENSION: 3 * ISSUE_WITHIN_S},
)
async def issue_campaign(code: CampaignCode, context: Ctx) -> Run:
    """Issue to every eligible member who has no offer of the campaign in this period.

    Calling it again is harmless. After 20 s the answer says ``running``; the job, or the next
    call, goes on.
    """
    run = await issue.issue(context, code, within_s=ISSUE_WITHIN_S)
    return Run(campaign=code, **{name: run[name] for name in run if name in Run.model_fields})


def _campaign(row: Row) -> Campaign:
    return Campaign.model_validate(dict(row))
