"""The books of gift money: what a day moved, and whether everything adds up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.store.reads import AUDIT_TIMEOUT_MS
from shared.db import Tx

MOVEMENTS = sa.text("""
    SELECT account, -sum(amount_minor) FILTER (WHERE posted_at < :since) AS before,
        -sum(amount_minor) FILTER (WHERE posted_at >= :since) AS within
    FROM gift_entry_leg
    WHERE account NOT IN ('available', 'held') AND posted_at < :until
    GROUP BY account
""")


async def movements(tx: Tx, since: datetime, until: datetime) -> tuple[int, Mapping[str, int]]:
    """Return what all cards had at ``since``, and what each account gave until ``until``.

    An account that took more than it gave is negative.
    """
    rows = (await tx.execute(MOVEMENTS, {"since": since, "until": until})).all()
    opening = sum(int(row.before or 0) for row in rows)
    return opening, {row.account: int(row.within or 0) for row in rows}


@dataclass(frozen=True, slots=True)
class GiftAuditReport:
    """What adding up all gift money showed; every ``wrong_…`` must be 0."""

    cards: int
    entries: int
    liability_minor: int
    """What the shop owes on all cards."""
    wrong_hashes: int
    """Entries that do not follow from the one before: changed, dropped or put in between."""
    wrong_balances: int
    """Cards that have something else than their entries add up to."""
    wrong_heads: int
    """Cards with another version, hash or balance than their last entry."""
    wrong_holds: int
    """Cards with something else held than their open holds ask for."""
    wrong_captures: int
    """Holds that captured or gave back something else than their entries say."""

    @property
    def ok(self) -> bool:
        """Whether the books close."""
        return not (
            self.wrong_hashes
            or self.wrong_balances
            or self.wrong_heads
            or self.wrong_holds
            or self.wrong_captures
        )


_LINKED = r"""(
    SELECT *, lag(hash, 1, ''::bytea) OVER chain AS before, row_number() OVER chain AS place
    FROM gift_entry WINDOW chain AS (PARTITION BY gift_card_id ORDER BY version)
) AS linked"""
_BREAKS = r"""(hash <> sha256(before || convert_to(concat(
    gift_card_id, '|', version, '|', cause_id, '|', from_account, '|', to_account, '|',
    amount_minor, '|', available_after, '|', held_after, '|', hold_id, '|',
    receipt_id, '|', actor, '|', (extract(epoch FROM occurred_at) * 1000000)::bigint, '|',
    (extract(epoch FROM posted_at) * 1000000)::bigint
), 'UTF8')) OR version <> place)"""

AUDIT_ENTRIES = sa.text(f"""
    SELECT count(*), count(*) FILTER (WHERE {_BREAKS}) FROM {_LINKED}
""")  # noqa: S608  constants

BROKEN = sa.text(f"""
    SELECT gift_card_id, min(version) FROM (
        SELECT gift_card_id, version FROM {_LINKED} WHERE {_BREAKS}
        UNION ALL
        SELECT gift_card_id, greatest(gift_card.version, head.version)
        FROM gift_card LEFT JOIN (
            SELECT DISTINCT ON (gift_card_id) gift_card_id, version, hash
            FROM gift_entry ORDER BY gift_card_id, version DESC
        ) AS head USING (gift_card_id)
        WHERE coalesce(head.version, 0) <> gift_card.version
            OR coalesce(head.hash, '') <> gift_card.hash
    ) AS found GROUP BY gift_card_id ORDER BY gift_card_id LIMIT :limit
""")  # noqa: S608  constants

AUDIT_CARDS = sa.text("""
    WITH booked AS (
        SELECT gift_card_id,
            coalesce(sum(amount_minor) FILTER (WHERE account = 'available'), 0) AS available,
            coalesce(sum(amount_minor) FILTER (WHERE account = 'held'), 0) AS held
        FROM gift_entry_leg GROUP BY gift_card_id
    ), head AS (
        SELECT DISTINCT ON (gift_card_id) gift_card_id, version, hash, available_after, held_after
        FROM gift_entry ORDER BY gift_card_id, version DESC
    ), kept AS (
        SELECT gift_card_id, sum(amount_minor) AS held FROM gift_hold
        WHERE state = 'open' GROUP BY gift_card_id
    )
    SELECT count(*), coalesce(sum(available_minor + held_minor), 0),
        count(*) FILTER (WHERE coalesce(booked.available, 0) <> available_minor
            OR coalesce(booked.held, 0) <> held_minor),
        count(*) FILTER (WHERE coalesce(head.version, 0) <> gift_card.version
            OR coalesce(head.hash, '') <> gift_card.hash
            OR coalesce(head.available_after, 0) <> available_minor
            OR coalesce(head.held_after, 0) <> held_minor),
        count(*) FILTER (WHERE coalesce(kept.held, 0) <> held_minor)
    FROM gift_card
    LEFT JOIN booked USING (gift_card_id)
    LEFT JOIN head USING (gift_card_id)
    LEFT JOIN kept USING (gift_card_id)
""")

AUDIT_HOLDS = sa.text("""
    WITH booked AS (
        SELECT hold_id,
            coalesce(sum(amount_minor) FILTER (WHERE account = 'redeemed'), 0) AS captured,
            coalesce(-sum(amount_minor) FILTER (WHERE account = 'refunded'), 0) AS back,
            coalesce(sum(amount_minor) FILTER (WHERE account = 'held'), 0) AS held
        FROM gift_entry_leg WHERE hold_id IS NOT NULL GROUP BY hold_id
    )
    SELECT count(*) FROM gift_hold FULL JOIN booked USING (hold_id)
    WHERE coalesce(booked.captured, 0) <> coalesce(captured_minor, 0)
        OR coalesce(booked.back, 0)
            <> coalesce(least(captured_minor, refunded_minor + returned_minor), 0)
        OR coalesce(booked.held, 0) <> CASE state WHEN 'open' THEN amount_minor ELSE 0 END
""")


async def audit(tx: Tx) -> GiftAuditReport:
    """Add up everything: entries against one another, cards and holds against their entries."""
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {AUDIT_TIMEOUT_MS}"))
    entries, wrong_hashes = (await tx.execute(AUDIT_ENTRIES)).one()
    cards = (await tx.execute(AUDIT_CARDS)).one()
    return GiftAuditReport(
        cards=cards[0],
        entries=entries,
        liability_minor=int(cards[1]),
        wrong_hashes=wrong_hashes,
        wrong_balances=cards[2],
        wrong_heads=cards[3],
        wrong_holds=cards[4],
        wrong_captures=await tx.scalar(AUDIT_HOLDS) or 0,
    )


async def list_broken(tx: Tx, limit: int) -> list[tuple[UUID, int]]:
    """Return cards whose chain does not hold, and the first entry at which it breaks."""
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {AUDIT_TIMEOUT_MS}"))
    rows = await tx.execute(BROKEN, {"limit": limit})
    return [(gift_card_id, version) for gift_card_id, version in rows]
