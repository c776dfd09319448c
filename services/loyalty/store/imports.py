"""Members and lots that come by the hundred: found, locked and written set-based."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.imports import OpeningLot, Register
from services.loyalty.domain.members import Identifier, Member
from services.loyalty.store import members
from services.loyalty.store.tables import identifier, member, opening_lot
from shared.db import Tx, bulk
from shared.errors import Unavailable

PROFILE = ("name", "email", "phone", "birth_date", "locale", "time_zone", "home_store")
LOT = ("lot_id", "member_id", "points", "earned_at", "expires_at")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What members may be found by."""

    external_ids: Collection[str]
    identifiers: Collection[tuple[str, str]]
    """(kind, hmac)"""
    member_ids: Collection[UUID] = ()


async def load_register(tx: Tx, wanted: Wanted, *, lock: bool = False) -> Register:
    """Return the members of ``wanted``, locked for change in the order of their ids if wished."""
    carried = sorted(wanted.identifiers)
    asked = bulk.unnest(
        "asked",
        {
            "kind": (sa.Text(), [kind for kind, _ in carried]),
            "hmac": (sa.Text(), [hmac for _, hmac in carried]),
        },
    )
    owned = await tx.execute(
        sa.select(identifier.c.kind, identifier.c.hmac, identifier.c.member_id).join(
            asked,
            sa.and_(identifier.c.kind == asked.c.kind, identifier.c.hmac == asked.c.hmac),
        )
    )
    owners = {(row.kind, row.hmac): row.member_id for row in owned}
    among = sorted({*owners.values(), *wanted.member_ids})
    query = (
        sa.select(member)
        .where(
            sa.or_(
                member.c.member_id == sa.any_(bulk.array(sa.Uuid(), among)),
                member.c.external_id == sa.any_(bulk.array(sa.Text(), sorted(wanted.external_ids))),
            )
        )
        .order_by(member.c.member_id)
    )
    rows = await tx.execute(query.with_for_update(key_share=True) if lock else query)
    found = {row.member_id: members.as_member(row) for row in rows}
    # After the lock: nobody adds an identifier to a member without it.
    known = await members.list_identifiers(tx, list(found)) if lock else {}
    return Register(found, owners, known)


async def insert_members(tx: Tx, new: Sequence[Member]) -> None:
    """Insert members; raises ``Unavailable`` where somebody else enrolled one of them just now."""
    if not new:
        return
    rows = bulk.unnest(
        "new",
        {
            "member_id": (sa.Uuid(), [one.member_id for one in new]),
            "version": (sa.BigInteger(), [one.version for one in new]),
            "external_id": (sa.Text(), [one.external_id for one in new]),
            "enrolled_at": (member.c.enrolled_at.type, [one.enrolled_at for one in new]),
            "request_sha256": (sa.LargeBinary(), [one.request_sha256 for one in new]),
            "imported": (sa.Boolean(), [one.imported for one in new]),
            **{
                name: (member.c[name].type, [getattr(one.profile, name) for one in new])
                for name in PROFILE
            },
        },
    )
    names = [column.name for column in rows.c]
    statement = insert(member).from_select(names, sa.select(*rows.c))
    result = await tx.execute(statement.on_conflict_do_nothing(index_elements=["external_id"]))
    if result.rowcount != len(new):
        raise _race()


async def update_members(tx: Tx, changed: Sequence[Member]) -> None:
    """Write profile, external id and version of members that ``load_register`` locked."""
    if not changed:
        return
    rows = bulk.unnest(
        "after",
        {
            "member_id": (sa.Uuid(), [one.member_id for one in changed]),
            "version": (sa.BigInteger(), [one.version for one in changed]),
            "external_id": (sa.Text(), [one.external_id for one in changed]),
            **{
                name: (member.c[name].type, [getattr(one.profile, name) for one in changed])
                for name in PROFILE
            },
        },
    )
    written = {name: rows.c[name] for name in ("version", "external_id", *PROFILE)}
    await tx.execute(member.update().values(written).where(member.c.member_id == rows.c.member_id))


async def insert_identifiers(tx: Tx, added: Sequence[tuple[UUID, Identifier]]) -> None:
    """Insert identifiers that nobody had; raises ``Unavailable`` where one is gone by now."""
    if not added:
        return
    # Sorted, as a single enrolment does it: two that want the same wait, and do not deadlock.
    ordered = sorted(added, key=lambda one: (one[1].kind, one[1].hmac))
    rows = bulk.unnest(
        "new",
        {
            "kind": (sa.Text(), [one.kind for _, one in ordered]),
            "hmac": (sa.Text(), [one.hmac for _, one in ordered]),
            "masked": (sa.Text(), [one.masked for _, one in ordered]),
            "member_id": (sa.Uuid(), [member_id for member_id, _ in ordered]),
        },
    )
    statement = insert(identifier).from_select(
        [column.name for column in rows.c], sa.select(*rows.c)
    )
    result = await tx.execute(statement.on_conflict_do_nothing())
    if result.rowcount != len(ordered):
        raise _race()


async def load_openings(tx: Tx, lot_ids: Collection[UUID]) -> dict[UUID, OpeningLot]:
    """Return the opening lots that were brought over already."""
    rows = await tx.execute(
        sa.select(*(opening_lot.c[name] for name in LOT)).where(
            opening_lot.c.lot_id == sa.any_(bulk.array(sa.Uuid(), sorted(lot_ids)))
        )
    )
    return {row.lot_id: OpeningLot(*row) for row in rows}


async def append_openings(tx: Tx, new: Sequence[OpeningLot]) -> None:
    """Append opening lots as they were brought over."""
    if new:
        rows = [tuple(getattr(lot, name) for name in LOT) for lot in new]
        await bulk.copy_rows(tx, opening_lot, LOT, rows)


def _race() -> Unavailable:
    return Unavailable("member_race", "Somebody else enrols one of these members just now.")
