"""Queries of members and their identifiers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.members import Identifier, Member, Profile
from services.loyalty.store.award_tables import referral_code
from services.loyalty.store.tables import device, identifier, member
from shared.db import Tx, bulk

RECOGNISE = """
    SELECT member.status, member.merged_into,
        (SELECT identifier.member_id FROM identifier WHERE kind = $2 AND hmac = $3),
        coalesce(available, 0), coalesce(pending, 0)
    FROM member LEFT JOIN account USING (member_id)
    WHERE member_id = $1
"""
_PROFILE = ("name", "email", "phone", "birth_date", "locale", "time_zone", "home_store")


async def insert_member(tx: Tx, new: Member) -> bool:
    """Insert; False when the external id is another member's already."""
    statement = insert(member).values(
        member_id=new.member_id,
        version=new.version,
        status=new.status,
        external_id=new.external_id,
        enrolled_at=new.enrolled_at,
        request_sha256=new.request_sha256,
        tier=new.tier,
        **{field: getattr(new.profile, field) for field in _PROFILE},
    )
    result = await tx.execute(statement.on_conflict_do_nothing(index_elements=["external_id"]))
    return bool(result.rowcount)


async def insert_identifiers(
    tx: Tx, member_id: UUID, new: Iterable[Identifier]
) -> set[tuple[str, str]]:
    """Insert those that nobody has; return the (kind, hmac) of what was inserted."""
    # Sorted, so that two enrolments with the same identifiers wait for, not block, each other.
    ordered = sorted(new, key=lambda one: (one.kind, one.hmac))
    if not ordered:
        return set()
    rows = [
        {"kind": one.kind, "hmac": one.hmac, "masked": one.masked, "member_id": member_id}
        for one in ordered
    ]
    inserted = await tx.execute(
        insert(identifier)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(identifier.c.kind, identifier.c.hmac)
    )
    return {(row.kind, row.hmac) for row in inserted}


async def load(tx: Tx, member_id: UUID, *, lock: bool = False) -> Member | None:
    """Return a member, locked for change if wanted."""
    statement = sa.select(member).where(member.c.member_id == member_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await tx.execute(statement)).one_or_none()
    return as_member(row) if row else None


async def lock_all(tx: Tx, member_ids: Iterable[UUID]) -> dict[UUID, Member]:
    """Return those members that there are, locked in the order of their ids."""
    rows = await tx.execute(
        sa.select(member)
        .where(member.c.member_id == sa.any_(bulk.array(sa.Uuid(), list(member_ids))))
        .order_by(member.c.member_id)
        .with_for_update(key_share=True)
    )
    return {row.member_id: as_member(row) for row in rows}


async def update_standing(tx: Tx, changed: Member) -> None:
    """Write status, tier and version of a member that is locked."""
    await tx.execute(
        member.update()
        .values(
            status=changed.status,
            merged_into=changed.merged_into,
            tier=changed.tier,
            version=changed.version,
        )
        .where(member.c.member_id == changed.member_id)
    )


async def load_by_external_id(tx: Tx, external_id: str) -> Member | None:
    """Return the member that another system knows by that id."""
    row = (
        await tx.execute(sa.select(member).where(member.c.external_id == external_id))
    ).one_or_none()
    return as_member(row) if row else None


async def load_by_identifier(tx: Tx, kind: str, hmac: str) -> Member | None:
    """Return whose identifier that is."""
    row = (
        await tx.execute(
            sa.select(member)
            .join(identifier, identifier.c.member_id == member.c.member_id)
            .where(identifier.c.kind == kind, identifier.c.hmac == hmac)
        )
    ).one_or_none()
    return as_member(row) if row else None


class Recognised(NamedTuple):
    """Who a request says that somebody is, what their account has, and whose the identifier is."""

    status: str | None = None
    """None for nobody's id."""
    merged_into: UUID | None = None
    owner: UUID | None = None
    available: int = 0
    pending: int = 0


async def recognise(tx: Tx, member_id: UUID, kind: str, hmac: str | None) -> Recognised:
    """Return all of that without locking any of it; no owner where there is no ``hmac``."""
    row = await (await bulk.driver(tx)).fetchrow(RECOGNISE, member_id, kind, hmac)
    return Recognised(*row) if row else Recognised()


async def owner_of(tx: Tx, kind: str, hmac: str) -> UUID | None:
    """Return the id of the member whose identifier that is."""
    owner: UUID | None = await tx.scalar(
        sa.select(identifier.c.member_id).where(
            identifier.c.kind == kind, identifier.c.hmac == hmac
        )
    )
    return owner


async def list_identifiers(
    tx: Tx, member_ids: Sequence[UUID]
) -> dict[UUID, tuple[Identifier, ...]]:
    """Return the identifiers of each of those members."""
    rows = await tx.execute(
        sa.select(identifier.c.member_id, identifier.c.kind, identifier.c.hmac, identifier.c.masked)
        .where(identifier.c.member_id == sa.any_(bulk.array(sa.Uuid(), member_ids)))
        .order_by(identifier.c.added_at, identifier.c.kind, identifier.c.hmac)
    )
    found: dict[UUID, list[Identifier]] = {member_id: [] for member_id in member_ids}
    for row in rows:
        found[row.member_id].append(Identifier(row.kind, row.hmac, row.masked))
    return {member_id: tuple(identifiers) for member_id, identifiers in found.items()}


async def update_profile(tx: Tx, changed: Member) -> None:
    """Write profile and version of a member that ``load`` locked."""
    await tx.execute(
        member.update()
        .values(
            version=changed.version,
            **{field: getattr(changed.profile, field) for field in _PROFILE},
        )
        .where(member.c.member_id == changed.member_id)
    )


async def erase(tx: Tx, erased: Member) -> None:
    """Write what is left of a member that ``load`` locked; identifiers and devices are deleted."""
    await tx.execute(
        member.update()
        .values(
            status=erased.status,
            merged_into=erased.merged_into,
            external_id=erased.external_id,
            request_sha256=erased.request_sha256,
        )
        .where(member.c.member_id == erased.member_id)
    )
    await update_profile(tx, erased)
    await tx.execute(identifier.delete().where(identifier.c.member_id == erased.member_id))
    await tx.execute(device.delete().where(device.c.member_id == erased.member_id))
    await tx.execute(referral_code.delete().where(referral_code.c.member_id == erased.member_id))


async def update_tiers(tx: Tx, tiers: Mapping[UUID, str | None]) -> list[Member]:
    """Write tiers and return the members as they now are; unknown members are left out."""
    ordered = sorted(tiers)
    await tx.execute(
        sa.select(member.c.member_id)
        .where(member.c.member_id == sa.any_(bulk.array(sa.Uuid(), ordered)))
        .order_by(member.c.member_id)
        .with_for_update(key_share=True)
    )
    after = bulk.unnest(
        "after",
        {
            "member_id": (sa.Uuid(), ordered),
            "tier": (sa.Text(), [tiers[member_id] for member_id in ordered]),
        },
    )
    rows = await tx.execute(
        member.update()
        .values(tier=after.c.tier, version=member.c.version + 1)
        .where(
            member.c.member_id == after.c.member_id,
            member.c.tier.is_distinct_from(after.c.tier),
        )
        .returning(*member.c)
    )
    return [as_member(row) for row in rows]


def as_member(row: "sa.Row[Any]") -> Member:
    """Return the member that a row of the table is."""
    return Member(
        member_id=row.member_id,
        version=row.version,
        status=row.status,
        enrolled_at=row.enrolled_at,
        profile=Profile(**{field: getattr(row, field) for field in _PROFILE}),
        external_id=row.external_id,
        tier=row.tier,
        request_sha256=row.request_sha256,
        imported=row.imported,
        merged_into=row.merged_into,
    )
