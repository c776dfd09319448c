"""Members, how to reach them, and what they chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notify.store.tables import contact, member, message, preference, suppression
from shared.db import Tx, bulk


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member's state at one version."""

    member_id: UUID
    version: int
    status: str
    locale: str | None
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class ContactRow:
    """How to reach a member, at one version."""

    member_id: UUID
    version: int
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None
    time_zone: str | None


def _source(table: sa.Table, rows: Sequence[MemberRow | ContactRow]) -> tuple[list[str], Any]:
    names = list(rows[0].__slots__)
    ordered = sorted(rows, key=lambda row: row.member_id)
    columns = {name: (table.c[name].type, [getattr(r, name) for r in ordered]) for name in names}
    return names, bulk.unnest("n", columns)


async def upsert_members(tx: Tx, rows: Sequence[MemberRow], *, now: datetime) -> None:
    """Write members, one row each, where the version is higher than what is there."""
    if not rows:
        return
    names, source = _source(member, rows)
    statement = insert(member).from_select(
        [*names, "known_since"], sa.select(*source.c, sa.literal(now, sa.DateTime(timezone=True)))
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["member_id"],
            set_={name: statement.excluded[name] for name in names[1:]},
            where=member.c.version < statement.excluded.version,
        )
    )


async def upsert_contacts(tx: Tx, rows: Sequence[ContactRow]) -> None:
    """Write contacts where the version is higher; never those of an erased member."""
    if not rows:
        return
    names, source = _source(contact, rows)
    erased = sa.exists().where(member.c.member_id == source.c.member_id, _ERASED)
    statement = insert(contact).from_select(names, sa.select(*source.c).where(~erased))
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["member_id"],
            set_={name: statement.excluded[name] for name in names[1:]},
            where=contact.c.version < statement.excluded.version,
        )
    )


_ERASED = member.c.status == "erased"


async def delete_erased(tx: Tx) -> None:
    """Delete what is known of erased members beyond their id, their decisions and consents."""
    gone = sa.select(member.c.member_id).where(_ERASED)
    for table in (contact, preference, suppression):
        await tx.execute(table.delete().where(table.c.member_id.in_(gone)))
    await tx.execute(
        message.update()
        # None would be stored as the JSON value null.
        .values(content=sa.null(), template_values={})
        .where(
            message.c.member_id.in_(gone),
            message.c.content.is_not(None) | (message.c.template_values != sa.text("'{}'::jsonb")),
        )
    )


async def load_status(tx: Tx, member_id: UUID) -> str | None:
    """Return a member's status; None while notify has not heard of them."""
    found: str | None = await tx.scalar(
        sa.select(member.c.status).where(member.c.member_id == member_id)
    )
    return found


async def list_preferences(tx: Tx, member_id: UUID) -> dict[tuple[str, str], str]:
    """Return what a member chose: ``(topic, channel)`` → frequency."""
    rows = await tx.execute(
        sa.select(preference.c.topic, preference.c.channel, preference.c.frequency).where(
            preference.c.member_id == member_id
        )
    )
    return {(row.topic, row.channel): row.frequency for row in rows}


async def replace_preferences(
    tx: Tx, member_id: UUID, chosen: Mapping[tuple[str, str], str], *, now: datetime
) -> None:
    """Make ``chosen`` all that the member chose."""
    await tx.execute(preference.delete().where(preference.c.member_id == member_id))
    for topic, channel in sorted(chosen):
        await set_preference(tx, member_id, (topic, channel, chosen[topic, channel]), now=now)


async def set_preference(
    tx: Tx, member_id: UUID, choice: tuple[str, str, str], *, now: datetime
) -> None:
    """Set one ``(topic, channel, frequency)``."""
    topic, channel, frequency = choice
    statement = insert(preference).values(
        member_id=member_id, topic=topic, channel=channel, frequency=frequency, updated_at=now
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(preference.primary_key),
            set_={"frequency": frequency, "updated_at": now},
        )
    )


_WANTED = bulk.Rows("w", {"member_id": sa.Uuid()})
_WHO_ASKED = (
    sa.select(preference.c.member_id)
    .join(_WANTED.source, _WANTED.c.member_id == preference.c.member_id)
    .where(
        preference.c.topic == sa.bindparam("topic"),
        preference.c.channel == sa.bindparam("channel"),
        preference.c.frequency != "never",
    )
)


async def list_who_asked(tx: Tx, member_ids: Sequence[UUID], topic: str, channel: str) -> set[UUID]:
    """Return those of ``member_ids`` who chose to get ``topic`` by ``channel``."""
    wanted = _WANTED.values({"member_id": member_ids})
    return set(await tx.scalars(_WHO_ASKED, {"topic": topic, "channel": channel} | wanted))


async def suppress_address(
    tx: Tx, member_id: UUID, address_sha256: bytes, *, reason: str, now: datetime
) -> None:
    """Note that a member's e-mail address refuses mail for good."""
    statement = insert(suppression).values(
        member_id=member_id,
        channel="email",
        address_sha256=address_sha256,
        reason=reason,
        since=now,
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(suppression.primary_key),
            set_={name: statement.excluded[name] for name in ("address_sha256", "reason", "since")},
        )
    )
