"""A member's preferences, consents and inbox."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.notify.api.fields import (
    MEMBER_DATA,
    Channel,
    Ctx,
    Decision,
    Frequency,
    Instant,
    Label,
    Purpose,
    Topic,
)
from services.notify.domain import matrix
from services.notify.handlers import choices
from services.notify.handlers.choices import Word
from services.notify.store import consents, inbox, members
from shared.db import Tx, run_unit
from shared.http import pages
from shared.http.models import Request

router = APIRouter(prefix="/v1/members/{member_id}", tags=["members"], dependencies=[MEMBER_DATA])

Place = tuple[datetime, UUID]
CURSOR: pages.Cursor[Place] = pages.Cursor(Place)


class Preference(Request):
    """How often a member wants to hear about a topic on a channel."""

    topic: Topic
    channel: Channel
    frequency: Frequency


class PreferencesBody(Request):
    """All that the member chose. What is not named goes by default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "preferences": [
                        {"topic": "points", "channel": "email", "frequency": "at_once"},
                        {"topic": "offers", "channel": "email", "frequency": "never"},
                    ]
                }
            ]
        }
    )
    preferences: Annotated[
        tuple[Preference, ...], Field(max_length=len(matrix.TOPICS) * len(matrix.CHANNELS))
    ]

    @model_validator(mode="after")
    def _each_once(self) -> "PreferencesBody":
        if len({(one.topic, one.channel) for one in self.preferences}) != len(self.preferences):
            raise ValueError("names a topic and channel twice")
        return self


class PreferenceShown(BaseModel):
    """What holds for one topic and channel, and whether the member chose it."""

    topic: Topic
    channel: Channel
    frequency: Frequency
    source: Literal["member", "default"]


class Preferences(BaseModel):
    """The whole matrix."""

    member_id: UUID
    preferences: list[PreferenceShown]


class ConsentBody(Request):
    """A yes or no, with what the member was told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "purpose": "marketing",
                    "channel": "email",
                    "decision": "given",
                    "wording_id": "newsletter",
                    "wording_version": 3,
                    "source": "app:settings",
                }
            ]
        }
    )
    purpose: Purpose
    channel: Channel
    decision: Decision
    wording_id: Label
    wording_version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    source: Label
    recorded_at: Instant | None = None
    """When the member said so; now, where it is left out. With it a repeat is recognised."""


class ConsentShown(BaseModel):
    """One row of the consent ledger."""

    consent_id: UUID
    purpose: Purpose
    channel: Channel
    decision: Decision
    wording_id: str
    wording_version: int
    source: str
    recorded_at: datetime
    """As the evidence says."""
    received_at: datetime


class InboxMessage(BaseModel):
    """A message in the app's inbox."""

    message_id: UUID
    topic: Topic
    title: str
    text: str
    sent_at: datetime
    read_at: datetime | None


async def _matrix(tx: Tx, member_id: UUID) -> Preferences:
    chosen = await members.list_preferences(tx, member_id)
    return Preferences(
        member_id=member_id,
        preferences=[
            PreferenceShown.model_validate(
                {
                    "topic": topic,
                    "channel": channel,
                    "frequency": chosen.get((topic, channel))
                    or matrix.default_frequency(topic, channel),
                    "source": "member" if (topic, channel) in chosen else "default",
                }
            )
            for topic in matrix.TOPICS
            for channel in matrix.CHANNELS
        ],
    )


@router.get("/preferences")
async def get_preferences(member_id: UUID, context: Ctx) -> Preferences:
    """Return what holds for each topic and channel."""
    async with context.db.transaction() as tx:
        known = await choices.refuse_departed(tx, member_id)
        shown = await _matrix(tx, member_id)
    if known is None and all(one.source == "default" for one in shown.preferences):
        raise choices.unknown_member()
    return shown


@router.put("/preferences")
async def put_preferences(member_id: UUID, body: PreferencesBody, context: Ctx) -> Preferences:
    """Set what the member chose; all of it, the rest goes by default again.

    A member who enrolled a moment ago may not be known here yet: their choice is kept for them.
    """
    chosen: dict[tuple[str, str], str] = {
        (one.topic, one.channel): one.frequency for one in body.preferences
    }

    async def unit(tx: Tx) -> Preferences:
        await choices.prefer(tx, member_id, chosen, context)
        return await _matrix(tx, member_id)

    return await run_unit(context.db, unit)


@router.post("/consents", status_code=201)
async def post_consent(member_id: UUID, body: ConsentBody, context: Ctx) -> ConsentShown:
    """Add a yes or no to the member's consent ledger; the latest holds, from now on."""
    word = Word(
        member_id=member_id,
        purpose=body.purpose,
        channel=body.channel,
        decision=body.decision,
        wording_id=body.wording_id,
        wording_version=body.wording_version,
        source=body.source,
        recorded_at=body.recorded_at,
    )
    row = await run_unit(context.db, lambda tx: choices.decide(tx, word, context))
    return ConsentShown.model_validate(row, from_attributes=True)


@router.get("/consents")
async def list_consents(
    member_id: UUID, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[ConsentShown]:
    """List every yes and no with its evidence, newest first; the latest of each kind holds."""
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        known = await members.load_status(tx, member_id)
        rows = await consents.list_consents(tx, member_id, after=after, limit=limit + 1)
    if known is None and not rows and after is None:
        raise choices.unknown_member()
    page = CURSOR.page(rows, limit, lambda row: (row["decided_at"], row["consent_id"]))
    shown = [ConsentShown.model_validate(dict(row)) for row in page.data]
    return pages.Page(data=shown, next_cursor=page.next_cursor)


@router.get("/inbox")
async def list_inbox(
    member_id: UUID, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[InboxMessage]:
    """List the member's in-app messages, newest first."""
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        if await choices.refuse_departed(tx, member_id) is None:
            raise choices.unknown_member()
        rows = await inbox.list_inbox(tx, member_id, after=after, limit=limit + 1)
    page = CURSOR.page(rows, limit, lambda row: (row["closed_at"], row["message_id"]))
    shown = [
        InboxMessage.model_validate(
            {**row, **(row["content"] or {"title": "", "text": ""}), "sent_at": row["closed_at"]}
        )
        for row in page.data
    ]
    return pages.Page(data=shown, next_cursor=page.next_cursor)
