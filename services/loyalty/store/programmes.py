"""Versions of the programme that were put over HTTP, and what a preview needs of receipts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.store.tables import programme_version, receipt
from services.loyalty.store.tier_counting import tier_counting
from shared.db import Tx

CLAIMS_MAX = 10_000
"""Receipts of one member in one period that a preview looks at."""
PUBLISH_LOCK = 0x7072_6F67
"""Advisory lock of those who publish."""
PUBLISH_TIMEOUT_MS = 15_000
"""Between the look at the clock and the end of the transaction lies no more than this."""

Document = Mapping[str, Any]
"""A version's rules as JSON values, in the shape of ``settings.rules.RulesDocument``."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One row."""

    version: str
    state: Literal["draft", "published"]
    document: Document
    effective_from: datetime | None
    """Null while it is a draft."""
    updated_at: datetime
    published_at: datetime | None


_COLUMNS = [
    programme_version.c[name]
    for name in (
        "version", "state", "document", "effective_from", "updated_at", "published_at",
    )
]  # fmt: skip
_PUBLISHED = programme_version.c.state == "published"
_COUNT = sa.select(sa.func.count()).select_from(programme_version).where(_PUBLISHED)
_STANDING = sa.select(
    _COUNT.scalar_subquery(),
    sa.select(tier_counting.c.counted_by).scalar_subquery(),
    sa.func.current_setting("transaction_read_only") == "on",
)
_LIST = sa.select(*_COLUMNS).where(_PUBLISHED).order_by(programme_version.c.effective_from)


async def read_standing(tx: Tx) -> tuple[int, str | None, bool]:
    """Return how many versions are published, which only grows, and how tiers are counted.

    And whether ``tx`` may not write.
    """
    published, counted_by, read_only = (await tx.execute(_STANDING)).one()
    return published, counted_by, read_only


async def list_published(tx: Tx) -> list[Stored]:
    """Return the published versions by the time from which they are in force."""
    return [Stored(*row) for row in await tx.execute(_LIST)]


async def load(tx: Tx, version: str, *, lock: bool = False) -> Stored | None:
    """Return one version, locked for change if wanted."""
    statement = sa.select(*_COLUMNS).where(programme_version.c.version == version)
    row = (await tx.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return Stored(*row) if row else None


async def list_drafts(tx: Tx, *, limit: int) -> list[Stored]:
    """Return drafts by name, at most ``limit``."""
    statement = sa.select(*_COLUMNS).where(~_PUBLISHED).order_by(programme_version.c.version)
    return [Stored(*row) for row in await tx.execute(statement.limit(limit))]


async def upsert_draft(tx: Tx, version: str, document: Document, now: datetime) -> Stored | None:
    """Keep a draft; None where that version is published, and so as it was."""
    statement = insert(programme_version).values(
        version=version, state="draft", document=document, updated_at=now
    )
    statement = statement.on_conflict_do_update(
        index_elements=["version"],
        set_={"document": statement.excluded.document, "updated_at": now},
        where=programme_version.c.state == "draft",
    )
    row = (await tx.execute(statement.returning(*_COLUMNS))).one_or_none()
    return Stored(*row) if row else None


async def lock_publishing(tx: Tx) -> None:
    """Let one publish at a time, and none for longer than ``PUBLISH_TIMEOUT_MS``."""
    await tx.execute(sa.text(f"SET LOCAL transaction_timeout = {PUBLISH_TIMEOUT_MS}"))
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(PUBLISH_LOCK)))


async def publish(tx: Tx, version: str, effective_from: datetime, now: datetime) -> Stored:
    """Publish a draft that ``load`` locked."""
    statement = (
        programme_version.update()
        .values(state="published", effective_from=effective_from, published_at=now)
        .where(programme_version.c.version == version)
        .returning(*_COLUMNS)
    )
    return Stored(*(await tx.execute(statement)).one())


class Claimed(NamedTuple):
    """What a receipt would be worth without caps, by which version of the rules."""

    receipt_id: UUID
    occurred_at: datetime
    desired: int
    programme_version: str | None


async def list_claims(tx: Tx, member_id: UUID, since: datetime, until: datetime) -> list[Claimed]:
    """Return the receipts of a member in a period, at most ``CLAIMS_MAX``."""
    statement = sa.select(*(receipt.c[name] for name in Claimed._fields)).where(
        receipt.c.member_id == member_id,
        receipt.c.occurred_at >= since,
        receipt.c.occurred_at < until,
    )
    return [Claimed(*row) for row in await tx.execute(statement.limit(CLAIMS_MAX))]
