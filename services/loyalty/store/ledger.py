"""The ledger's hot path: a batch in as few statements and columns as it takes.

These statements run for every batch of purchases, so they go to the driver as they stand: Core
would build and look up the same text each time. Appends are COPY; nothing is done row by row.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg

from services.loyalty.domain import chain, tiers
from services.loyalty.domain.accounts import Leg, MemberState
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.ladder import Ladder
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import Move, Posting
from services.loyalty.domain.programme import Programme
from services.loyalty.store import receipt_rows, tier_counting
from services.loyalty.store.tables import entry, receipt
from shared.contracts import structs
from shared.db import Tx, bulk
from shared.errors import Unavailable

BY_NUMBER = attrgetter("int")
"""Postgres' order of UUIDs; comparing the numbers is several times faster than the objects."""

OWNERS = (
    "SELECT receipt_id, member_id, occurred_at FROM receipt WHERE receipt_id = ANY ($1::uuid[])"
)

LOCK_RECEIPTS = f"""
    SELECT {", ".join(receipt_rows.COLUMNS)}
    FROM receipt
    WHERE receipt_id = ANY ($1::uuid[])
    ORDER BY receipt_id
    FOR NO KEY UPDATE
"""  # noqa: S608  constants

LOAD_PERIODS = f"""
    SELECT {", ".join(f"receipt.{name}" for name in receipt_rows.COLUMNS)}
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
        AS period (member_id, since, until)
    JOIN receipt ON receipt.member_id = period.member_id
        AND receipt.occurred_at >= period.since AND receipt.occurred_at < period.until
"""  # noqa: S608  constants

UPDATE_RECEIPTS = f"""
    UPDATE receipt
    SET {", ".join(f"{name} = settled.{name}" for name in receipt_rows.COLUMNS[1:])}
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::bigint[], $6::int[],
            $7::bigint[], $8::timestamptz[], $9::text[], $10::text[], $11::timestamptz[],
            $12::json[], $13::json[], $14::text[], $15::timestamptz[], $16::timestamptz[],
            $17::json[], $18::smallint[], $19::timestamptz[], $20::smallint[])
        AS settled ({", ".join(receipt_rows.COLUMNS)})
    WHERE receipt.receipt_id = settled.receipt_id
"""  # noqa: S608  constants

# With whoever took over from one of them, and from those; in all but a few shops, and for nearly
# all members, that is a look into an empty index.
_LOCK = """
    WITH RECURSIVE heir AS (
        SELECT into_id FROM merge WHERE undone_at IS NULL AND member_id = ANY ({wanted})
        UNION
        SELECT merge.into_id FROM heir JOIN merge ON merge.member_id = heir.into_id
        WHERE merge.undone_at IS NULL
    )
    SELECT member_id, available, version, last_event_at, tier, hash, pending, held, debt, drawn_at,
        tier_at, tier_review_at, lost, idle_at, merged_into
    FROM account
    WHERE member_id = ANY ({wanted} || ARRAY(SELECT into_id FROM heir))
    ORDER BY member_id
    FOR NO KEY UPDATE
"""
LOCK_ACCOUNTS = _LOCK.format(wanted="$1::uuid[]")
LOCK_OWNERS = _LOCK.format(
    wanted="ARRAY(SELECT member_id FROM spend WHERE spend_id = ANY ($1::uuid[]))"
)

LOAD_MERGES = """
    SELECT merge_id, member_id, into_id, merged_at, merged_by
    FROM merge
    WHERE undone_at IS NULL AND member_id = ANY ($1::uuid[])
"""

OPEN_ACCOUNTS = """
    INSERT INTO account (member_id, available, version, last_event_at)
    SELECT member_id, 0, 0, $2 FROM unnest($1::uuid[]) AS new (member_id)
    ON CONFLICT DO NOTHING
"""

ACCOUNT_COLUMNS = ("member_id", "available", "version", "last_event_at", "hash", "pending", "held",
                   "debt", "drawn_at", "lost", "idle_at")  # fmt: skip

UPDATE_ACCOUNTS = """
    UPDATE account
    SET available = after.available, version = after.version,
        last_event_at = after.last_event_at, hash = after.hash, pending = after.pending,
        held = after.held, debt = after.debt, drawn_at = after.drawn_at,
        lost = after.lost, idle_at = after.idle_at
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bytea[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[], $10::bigint[],
            $11::timestamptz[])
        AS after (member_id, available, version, last_event_at, hash, pending, held, debt,
            drawn_at, lost, idle_at)
    WHERE account.member_id = after.member_id
"""

LOAD_VISITS = """
    SELECT member_id, receipt_id, least(occurred_at, begins_at) FROM receipt
    WHERE member_id = ANY ($1::uuid[]) AND posted > 0 AND occurred_at IS NOT NULL
"""

LOAD_SPEND = """
    SELECT member_id, year, amount_minor, returned_minor, NULL FROM qualifying_spend
    WHERE member_id = ANY ($1::uuid[]) AND year >= $2
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, counted_by FROM tier_counting
"""

ADD_SPEND = """
    INSERT INTO qualifying_spend AS known (member_id, year, amount_minor, returned_minor)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[])
    ON CONFLICT (member_id, year) DO UPDATE
    SET amount_minor = known.amount_minor + excluded.amount_minor,
        returned_minor = known.returned_minor + excluded.returned_minor
"""

ENTRY_COLUMNS = (*chain.Entry._fields, "hash")


class Driver(Protocol):
    """What is used of asyncpg's connection, whose own types say less."""

    async def fetch(self, query: str, /, *args: Any) -> list[Sequence[Any]]: ...  # noqa: ANN401
    async def execute(self, query: str, /, *args: Any) -> str: ...  # noqa: ANN401


async def _driver(tx: Tx) -> Driver:
    return cast("Driver", await bulk.driver(tx))


Owners = dict[UUID, tuple[UUID | None, datetime | None]]
"""Receipt → whose it is, and when it happened."""


async def load_owners(tx: Tx, receipt_ids: Iterable[UUID]) -> Owners:
    """Return whose each of those receipts is that are known, without locking them."""
    connection = await _driver(tx)
    rows = await connection.fetch(OWNERS, list(receipt_ids))
    return {receipt_id: (member_id, occurred_at) for receipt_id, member_id, occurred_at in rows}


async def lock_receipts(
    tx: Tx, receipt_ids: Iterable[UUID], owners: Owners, programme: Programme
) -> dict[UUID, ReceiptState]:
    """Return what was posted for those receipts; locked in the order of their ids.

    Lock the accounts of ``owners`` first. Raises ``Unavailable`` where a receipt has moved to
    another member since they were looked up: done again, the batch locks that one, too.
    """
    connection = await _driver(tx)
    rows = await connection.fetch(LOCK_RECEIPTS, list(receipt_ids))
    states = dict(receipt_rows.read(row, programme) for row in rows)
    if {key: state.member_id for key, state in states.items()} != {
        key: member_id for key, (member_id, _) in owners.items()
    }:
        raise Unavailable("receipt_race", "Another batch settles one of these receipts.")
    return states


async def load_periods(
    tx: Tx, periods: Collection[tuple[UUID, datetime, datetime]], programme: Programme
) -> dict[UUID, ReceiptState]:
    """Return all receipts of members in periods (member, since, until).

    Who writes a receipt holds its member's account, so that lock keeps them as they are.
    """
    if not periods:
        return {}
    connection = await _driver(tx)
    rows = await connection.fetch(LOAD_PERIODS, *map(list, zip(*periods, strict=True)))
    return dict(receipt_rows.read(row, programme) for row in rows)


async def insert_receipts(tx: Tx, states: Mapping[UUID, ReceiptState]) -> None:
    """Insert receipts that ``lock_receipts`` did not find.

    Raises ``Unavailable`` when another transaction was faster with one of them: done again, the
    batch will see what that one wrote.
    """
    try:
        await bulk.copy_rows(tx, receipt, receipt_rows.COLUMNS, receipt_rows.write(states))
    except asyncpg.UniqueViolationError as error:
        raise Unavailable("receipt_race", "Another batch settles one of these receipts.") from error


async def update_receipts(tx: Tx, states: Mapping[UUID, ReceiptState]) -> None:
    """Write the new state of receipts that ``lock_receipts`` returned."""
    connection = await _driver(tx)
    columns = zip(*receipt_rows.write(states), strict=True)
    await connection.execute(UPDATE_RECEIPTS, *map(list, columns))


async def lock_members(
    tx: Tx, member_ids: Iterable[UUID], *, now: datetime, ladder: Ladder | None
) -> dict[UUID, MemberState]:
    """Return accounts, with what counts for their tier from the first period that can matter on.

    Without that where no ``ladder`` is given, since nothing is going to be counted.

    They are locked in the order of their ids. An account is opened for a member who has none, so
    that there is a row to lock; all of them before the first is locked, since who waits for a new
    one with others locked can meet who does the opposite. With one who was merged comes whoever
    took over, and so on. Raises ``Unavailable`` where somebody was merged while we waited for the
    lock: done again, the other account is locked, too; and where tiers are counted otherwise by
    now.
    """
    connection = await _driver(tx)
    wanted = sorted(member_ids, key=BY_NUMBER)
    alone = len(wanted) == 1
    rows = await connection.fetch(LOCK_ACCOUNTS, wanted) if alone else []
    if not rows:
        await connection.execute(OPEN_ACCOUNTS, wanted, now)
        rows = await connection.fetch(LOCK_ACCOUNTS, wanted)
    members: dict[UUID, MemberState] = {}
    await _load_merges(connection, members, _take_accounts(members, rows))
    if ladder is None:
        return members
    since = tiers.first_relevant(ladder, now)
    rows = await connection.fetch(LOAD_SPEND, list(members), since)
    for member_id, year, amount, back, counted_by in rows:
        if counted_by is not None:
            tier_counting.must_fit(ladder, counted_by)
            continue
        members[member_id].spend[year] = amount
        if back:
            members[member_id].returned[year] = back
    return members


async def lock_owners(tx: Tx, spend_ids: Collection[UUID]) -> dict[UUID, MemberState]:
    """Return the accounts of whoever has those holds, locked as by ``lock_members``.

    Without what counts for tiers; nobody's for a hold that there is not.
    """
    connection = await _driver(tx)
    members: dict[UUID, MemberState] = {}
    rows = await connection.fetch(LOCK_OWNERS, list(spend_ids))
    await _load_merges(connection, members, _take_accounts(members, rows))
    return members


async def _load_merges(
    connection: Driver, members: Mapping[UUID, MemberState], heirs: set[UUID]
) -> None:
    """Add who took over from whom, where somebody did."""
    if not heirs:
        return
    if not heirs <= members.keys():
        raise Unavailable("merge_race", "One of these members is being merged.")
    for merge_id, *merge in await connection.fetch(LOAD_MERGES, list(members)):
        members[merge[0]].merge = Merge(merge_id, *merge)


def _take_accounts(members: dict[UUID, MemberState], rows: list[Sequence[Any]]) -> set[UUID]:
    """Add accounts to ``members``; return who has taken over from one of them."""
    heirs: set[UUID] = set()
    for member_id, available, version, last_event_at, tier, *rest, merged_into in rows:
        members[member_id] = MemberState(available, version, last_event_at, {}, tier, *rest)
        if merged_into is not None:
            heirs.add(merged_into)
    return heirs


async def load_visits(
    tx: Tx, member_ids: Collection[UUID]
) -> Sequence[tuple[UUID, UUID, datetime]]:
    """Return member, receipt and time of all receipts of those members that have points."""
    if not member_ids:
        return []
    connection = await _driver(tx)
    return [(one, of, at) for one, of, at in await connection.fetch(LOAD_VISITS, list(member_ids))]


async def update_accounts(tx: Tx, members: Mapping[UUID, MemberState]) -> None:
    """Write balances, and add to the spend, of members that ``lock_members`` returned."""
    connection = await _driver(tx)
    await connection.execute(UPDATE_ACCOUNTS, *account_columns(members))
    spend = [
        (member_id, year, *added)
        for member_id, state in members.items()
        for year, added in state.counted.items()
    ]
    if spend:
        await connection.execute(ADD_SPEND, *map(list, zip(*spend, strict=True)))


def account_columns(members: Mapping[UUID, MemberState]) -> list[list[Any]]:
    """Return the values of ``ACCOUNT_COLUMNS``, column by column."""
    states = members.values()
    return [
        list(members),
        [state.available for state in states],
        [state.version for state in states],
        [state.last_event_at for state in states],
        [state.chain for state in states],
        [state.pending for state in states],
        [state.held for state in states],
        [state.debt for state in states],
        [state.drawn_at for state in states],
        [state.lost for state in states],
        [state.idle_at for state in states],
    ]


async def append_entries(
    tx: Tx, entries: Iterable[Posting | Move], members: Mapping[UUID, MemberState]
) -> None:
    """Append what was posted, behind the last entry of each member.

    Brings each member's chain up to date; ``update_accounts`` stores it.
    """
    await bulk.copy_rows(tx, entry, ENTRY_COLUMNS, entry_rows(entries, members))


def entry_rows(
    entries: Iterable[Posting | Move], members: Mapping[UUID, MemberState]
) -> list[tuple[Any, ...]]:
    """Return the values of ``ENTRY_COLUMNS`` for each leg of what was posted."""
    rows: list[tuple[Any, ...]] = []
    for posted in entries:
        for leg in posted.legs:
            row = _posting(posted, leg) if isinstance(posted, Posting) else _move(posted, leg)
            member = members[row.member_id]
            member.chain = chain.link(member.chain, row)
            rows.append((*row, member.chain))
    return rows


def _posting(posting: Posting, leg: Leg) -> chain.Entry:
    change = posting.change
    event, settlement = change.event, change.settlement
    version = settlement.version
    lines = structs.encode(settlement.lines).decode()
    explain = (
        f'{{"why":"{change.why}","worth":{change.after.posted},'
        f'"posted_before":{change.before.posted},"lines":{lines}'
    )
    if change.cap is not None:
        explain += f',"desired":{change.after.desired},"cap":"{change.cap.rule}"'
    if change.why == "tier":
        explain += f',"level":{change.after.level}'
    return chain.Entry(
        change.member_id,
        leg.version,
        event.id,
        leg.from_account,
        leg.to_account,
        leg.points,
        leg.available_after,
        change.receipt_id,
        version.version if version else None,
        explain + "}",
        event.time,
    )


def _move(move: Move, leg: Leg) -> chain.Entry:
    # All of them are codes: no letter needs an escape.
    more = f',"reason":"{move.reason}"' if move.reason else ""
    if move.rule:
        more += f',"rule":"{move.rule}"'
    if move.reward_id:
        more += f',"reward":"{move.reward_id}"'
    return chain.Entry(
        move.member_id,
        leg.version,
        move.cause_id,
        leg.from_account,
        leg.to_account,
        leg.points,
        leg.available_after,
        None,
        move.programme_version,
        f'{{"why":"{move.why}","worth":0,"posted_before":0,"lines":[],"about":"{move.about}"'
        f"{more}}}",
        move.occurred_at,
    )
