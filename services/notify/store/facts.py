"""Everything the gates need to know about some messages, in one query."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.notify.domain import matrix
from services.notify.domain.gates import Asked, Facts, Standing
from services.notify.domain.planning import AWARDED, EXPIRING, TIER_NOTICE, TIER_REACHED
from services.notify.store import consents, offers
from services.notify.store.tables import (
    consent,
    contact,
    member,
    message,
    message_offer,
    offer,
    preference,
    suppression,
)
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Case:
    """A message, what the gates need, and what a template may need."""

    message_id: UUID
    member_id: UUID
    template: str
    cause_id: UUID
    template_values: Mapping[str, Any]
    asked: Asked
    facts: Facts
    name: str | None
    time_zone: str | None
    attempts: int
    uncertain: int


def address_sha256(address: str) -> bytes:
    """Return what a suppressed address is remembered by."""
    return hashlib.sha256(address.strip().lower().encode()).digest()


async def load_cases(tx: Tx, message_ids: Sequence[UUID], *, now: datetime) -> list[Case]:
    """Return the cases of ``message_ids``, in that order, as things stand in this transaction."""
    if not message_ids:
        return []
    rows = await tx.execute(_query(now).where(message.c.message_id.in_(message_ids)))
    cases = {row["message_id"]: _case(row, now) for row in rows.mappings()}
    return [cases[one] for one in message_ids if one in cases]


def _query(now: datetime) -> "sa.Select[Any]":
    purpose = sa.case((message.c.topic.in_(sorted(matrix.MARKETING)), "marketing"), else_="service")
    latest = (
        sa.select(
            consent.c.decision,
            consent.c.decided_at,
            consent.c.wording_id,
            consent.c.wording_version,
        )
        .where(
            consent.c.member_id == message.c.member_id,
            consent.c.purpose == purpose,
            consent.c.channel == message.c.channel,
        )
        .order_by(*consents.LATEST_FIRST)
        .limit(1)
        .lateral("latest")
    )
    told = (
        sa.select(
            sa.func.count().label("items"),
            sa.func.count().filter(offers.usable(now)).label("items_valid"),
        )
        .select_from(message_offer.join(offer, offer.c.offer_id == message_offer.c.offer_id))
        .where(message_offer.c.message_id == message.c.message_id)
        .lateral("told")
    )
    same_channel = {"p": preference, "s": suppression}
    of_member = {
        key: sa.and_(table.c.member_id == message.c.member_id, table.c.channel == message.c.channel)
        for key, table in same_channel.items()
    }
    joined = (
        message.outerjoin(member, member.c.member_id == message.c.member_id)
        .outerjoin(contact, contact.c.member_id == message.c.member_id)
        .outerjoin(preference, of_member["p"] & (preference.c.topic == message.c.topic))
        .outerjoin(suppression, of_member["s"])
        .outerjoin(latest, sa.true())
        .outerjoin(told, sa.true())
    )
    return sa.select(
        *(message.c[name] for name in _OF_MESSAGE),
        member.c.status,
        member.c.known_since,
        contact.c.member_id.label("contact_of"),
        contact.c.name,
        contact.c.email,
        contact.c.phone,
        sa.func.coalesce(contact.c.time_zone, member.c.time_zone).label("time_zone"),
        preference.c.frequency,
        suppression.c.address_sha256,
        suppression.c.reason.label("suppressed_for"),
        *latest.c,
        *told.c,
    ).select_from(joined)


_OF_MESSAGE = (
    "message_id", "member_id", "topic", "channel", "template", "template_values", "cause_id",
    "caused_at", "created_at", "collect_key", "attempts", "uncertain",
)  # fmt: skip


def _ending(values: Mapping[str, Any], now: datetime) -> int:
    """Return how many of the points that a message tells of can still be spent."""
    return values["ending"] if datetime.fromisoformat(values["ends_at"]) > now else 0


def _outdated(template: str, values: Mapping[str, Any], now: datetime) -> str | None:
    """Return what makes it untrue that points were given, or a tier was reached or can be kept."""
    if template == AWARDED and values.get("outdated"):
        return "the points were taken back"
    if template in {TIER_NOTICE, TIER_REACHED} and values.get("outdated"):
        return "the member has another tier by now"
    if template == TIER_NOTICE and datetime.fromisoformat(values["falls_at"]) <= now:
        return "the tier has ended"
    return None


def _case(row: sa.RowMapping, now: datetime) -> Case:
    address = {"email": row["email"], "sms": row["phone"]}.get(row["channel"])
    bounced = address is not None and row["address_sha256"] == address_sha256(address)
    standing = row["decision"] and Standing(
        decision=row["decision"],
        decided_at=row["decided_at"],
        wording=f"{row['wording_id']} v{row['wording_version']}",
    )
    facts = Facts(
        now=now,
        member_status=row["status"],
        member_since=row["known_since"],
        contact_known=row["contact_of"] is not None,
        address=address,
        bounced=row["suppressed_for"] if bounced else None,
        consent=standing,
        frequency=row["frequency"],
        items=row["items"] if row["collect_key"] is not None else None,
        items_valid=row["items_valid"],
        ending=_ending(row["template_values"], now) if row["template"] == EXPIRING else None,
        outdated=_outdated(row["template"], row["template_values"], now),
    )
    return Case(
        message_id=row["message_id"],
        member_id=row["member_id"],
        template=row["template"],
        cause_id=row["cause_id"],
        template_values=row["template_values"],
        asked=Asked(row["topic"], row["channel"], row["caused_at"], row["created_at"]),
        facts=facts,
        name=row["name"],
        time_zone=row["time_zone"],
        attempts=row["attempts"],
        uncertain=row["uncertain"],
    )
