"""The figures of the page that are not the driver's own: counted in the databases."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import sqlalchemy as sa

from shared.db import Database, Tx

_ATTRIBUTED = (
    "SELECT count(*) FROM receipt"
    " WHERE member_id IS NOT NULL AND recorded::json->>'member_id' IS NULL"
)
_TIERS = "SELECT coalesce(tier, 'none yet'), count(*) FROM member GROUP BY 1 ORDER BY 2 DESC"
_SENT = "SELECT count(*) FROM message WHERE channel = 'email' AND state = 'sent'"


@dataclass(frozen=True)
class Totals:
    """Of the whole stack, so of earlier runs too."""

    attributed: int
    points: int
    entries: int
    tiers: Mapping[str, int]
    offers: int
    mails_sent: int
    mails: tuple[Path, ...]
    mailed_to: frozenset[str]


async def count(databases: Mapping[str, Database], mail_folder: Path) -> Totals:
    """Count everything now."""
    async with databases["ingest"].transaction() as tx:
        attributed = await _one(tx, _ATTRIBUTED)
    async with databases["loyalty"].transaction() as tx:
        points = await _one(tx, "SELECT -sum(points) FROM entry_leg WHERE account = 'issued'")
        entries = await _one(tx, "SELECT count(*) FROM entry")
        tiers = {row[0]: row[1] for row in await tx.execute(sa.text(_TIERS))}
    async with databases["offers"].transaction() as tx:
        offers = await _one(tx, "SELECT count(*) FROM offer")
    async with databases["notify"].transaction() as tx:
        sent = await _one(tx, _SENT)
    mails = await asyncio.to_thread(_caught, mail_folder)
    return Totals(
        attributed=attributed,
        points=points,
        entries=entries,
        tiers=tiers,
        offers=offers,
        mails_sent=sent,
        mails=mails,
        mailed_to=frozenset(_recipient(mail) for mail in mails),
    )


def _caught(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("*.eml")))


async def _one(tx: Tx, query: str) -> int:
    return int(await tx.scalar(sa.text(query)) or 0)


def _recipient(mail: Path) -> str:
    return str(message_from_bytes(mail.read_bytes())["X-Envelope-To"])
