"""A service of the tests' own on the real plumbing: it adds up purchases per member.

The receipt's ``description`` of its first line says what the handler shall do: nothing special,
``poison`` (raise Malformed), ``bug`` (raise a RuntimeError) or ``null`` (break a constraint).
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.clock import SystemClock
from shared.contracts import structs
from shared.contracts.purchases import PurchaseRecorded
from shared.db import Database, Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Malformed
from shared.service import Context, Service
from shared.settings import ServiceSettings

tally = sa.Table(
    "tally",
    sa.MetaData(),
    sa.Column("member_id", sa.Text, primary_key=True),
    sa.Column("total_minor", sa.BigInteger),
    sa.Column("trail", sa.Text),
)


class Healed(Context):
    """A context in which poison and bugs are mended, as after an upgrade."""


async def on_purchases(tx: Tx, events: Sequence[PurchaseRecorded], context: Context) -> None:
    """Add each purchase to its member's total, and announce it under the topic ``loyalty``."""
    for event in events:
        _misbehave(event, context)
        if event.data.lines[0].description == "null":
            await tx.execute(insert(tally).values(member_id=None, total_minor=1))
    for event in events:
        statement = insert(tally).values(
            member_id=str(event.subject),
            total_minor=event.data.total_minor,
            trail=event.data.receipt_no + " ",
        )
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=["member_id"],
                set_={
                    "total_minor": tally.c.total_minor + statement.excluded.total_minor,
                    "trail": tally.c.trail + statement.excluded.trail,
                },
            )
        )
    await outbox.append(
        tx,
        [
            Outgoing("loyalty", str(event.subject), event_id=event.id, value=structs.encode(event))
            for event in events
        ],
    )


def _misbehave(event: PurchaseRecorded, context: Context) -> None:
    if isinstance(context, Healed):
        return
    if event.data.lines[0].description == "poison":
        raise Malformed("test_poison", "can never be applied")
    if event.data.lines[0].description == "bug":
        raise RuntimeError("a bug in the handler")


def service(topic: str, settings: ServiceSettings | None = None) -> Service:
    """Return the service, consuming ``topic`` in a group named after it."""

    async def open_context(
        settings: ServiceSettings, db: Database, stack: AsyncExitStack
    ) -> Context:
        return Context(db, SystemClock(), settings)

    def load() -> ServiceSettings:
        assert settings is not None
        return settings

    return Service(
        name=f"tally-{topic}",
        settings=load,
        open_context=open_context,
        migrations=Path(__file__).parent / "migrations",
        handlers={topic: on_purchases},
    )


def migrations_only() -> Service:
    """Return the service as the template database needs it: one name for all tests."""
    return Service(
        name="tally",
        settings=lambda: ServiceSettings(database_url="postgresql://unused"),
        open_context=lambda *_: None,  # pyright: ignore[reportArgumentType]  never opened
        migrations=Path(__file__).parent / "migrations",
    )
