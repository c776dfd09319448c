"""Ingest on a real database, and sales to record."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pydantic_core
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.ingest import app, domain
from services.ingest.api import bodies, changes
from services.ingest.context import IngestContext
from services.ingest.handlers import changes as handlers
from services.ingest.handlers import members, sales
from services.ingest.settings import IngestSettings
from shared import auth, identity, ids
from shared.clock import FixedClock
from shared.contracts.members import IdentifierHash, MemberChanged, MemberState
from shared.contracts.topics import TOPICS
from shared.db import Database
from shared.db.plumbing import outbox
from shared.http.app import create_api
from tests.conftest import MakeDatabase

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
IDENTITY_KEY = "ab" * 32


def purchase_body(receipt_no: str = "000123", **changes: Any) -> dict[str, Any]:
    """Return the example of the API's documentation, with ``changes``."""
    line = {"line_no": 1, "sku": "1082185", "category": "BANANAS", "quantity": "1.12"}
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "receipt_no": receipt_no,
        "business_date": "2026-11-22",
        "occurred_at": "2026-11-22T14:05:00+01:00",
        "member": {"card": "9840001234"},
        "currency": "USD",
        "lines": [line | {"unit_price_minor": 99, "amount_minor": 111}],
        "total_minor": 111,
    } | changes


def return_body(receipt_no: str = "R1", **changes: Any) -> dict[str, Any]:
    """Return a return of 1 from line 1 of ``purchase_body``, with ``changes``."""
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "receipt_no": receipt_no,
        "business_date": "2026-11-23",
        "occurred_at": "2026-11-23T10:00:00+01:00",
        "original": {
            "store_id": "0042",
            "terminal_id": "0042-03",
            "receipt_no": "000123",
            "business_date": "2026-11-22",
        },
        "currency": "USD",
        "lines": [{"line_no": 1, "quantity": "1", "amount_minor": 11}],
        "total_minor": 11,
    } | changes


def as_sale(body: dict[str, Any], *, received_at: datetime = NOW) -> domain.Sale:
    """Return the sale that a body asks to record."""
    purchase = bodies.Purchase.model_validate_json(pydantic_core.to_json(body))
    key = identity.read_key(IDENTITY_KEY)
    return purchase.to_sale(received_at=received_at, identity_key=key, region=None)


def as_return(body: dict[str, Any]) -> domain.Change:
    """Return the return that a body asks to record."""
    parsed = changes.Return.model_validate_json(pydantic_core.to_json(body))
    return parsed.to_change(received_at=NOW + timedelta(days=1))


def void_body(**differing: Any) -> dict[str, Any]:
    """Return the void of ``purchase_body``, with what differs."""
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "receipt_no": "000123",
        "business_date": "2026-11-22",
        "occurred_at": "2026-11-22T14:20:00+01:00",
        "reason": "Wrong till",
    } | differing


def amendment_body(revision: int = 2, **purchase: Any) -> dict[str, Any]:
    """Return a correction of ``purchase_body`` to what ``purchase`` says."""
    return {"revision": revision, "reason": "Weighed again", "purchase": purchase_body(**purchase)}


def bananas(quantity: str, amount_minor: int) -> dict[str, Any]:
    """Return lines and total: one line of bananas."""
    line = {"line_no": 1, "sku": "1082185", "category": "BANANAS", "unit_price_minor": 99}
    return {
        "lines": [line | {"quantity": quantity, "amount_minor": amount_minor}],
        "total_minor": amount_minor,
    }


def as_void(body: dict[str, Any]) -> domain.Change:
    """Return the void that a body asks to record."""
    parsed = changes.Void.model_validate_json(pydantic_core.to_json(body))
    return parsed.to_change(received_at=NOW)


def as_amendment(body: dict[str, Any]) -> domain.Change:
    """Return the correction that a body asks to record."""
    parsed = changes.Amendment.model_validate_json(pydantic_core.to_json(body))
    key = identity.read_key(IDENTITY_KEY)
    member = parsed.purchase.member
    who = bodies.identify(member, key, None) if member else None
    return parsed.to_change(received_at=NOW, identifier=who)


def card_of(card: str) -> domain.Identifier:
    """Return a card as ingest knows it."""
    hmac = identity.identifier_hmac(identity.read_key(IDENTITY_KEY), "card", card)
    return domain.Identifier("card", hmac)


def enrolled(
    *cards: str,
    member_id: UUID | None = None,
    version: int = 1,
    merged_into: UUID | None = None,
) -> MemberChanged:
    """Return the event that a member has ``cards``, or went into another with them."""
    state = MemberState(
        member_id=member_id or ids.new_id(),
        version=version,
        status="merged" if merged_into else "active",
        merged_into=merged_into,
        enrolled_at=NOW,
        identifiers=tuple(IdentifierHash(kind="card", hmac=card_of(one).hmac) for one in cards),
    )
    return MemberChanged(
        id=ids.new_id(),
        source="perennial/loyalty",
        time=NOW,
        subject=str(state.member_id),
        data=state,
    )


@pytest_asyncio.fixture
async def db(make_database: MakeDatabase) -> Database:
    """A fresh database of ingest."""
    return await make_database(app.service())


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at the time of the sales."""
    return FixedClock(NOW)


class FakePositions:
    """Stands for Kafka: committed offsets by group, as a test sets them."""

    def __init__(self) -> None:
        self.offsets: dict[str, int | None] = {"loyalty": 0, "offers": 0}

    async def __call__(
        self, topic: str, partition: int, groups: Sequence[str]
    ) -> Mapping[str, int | None]:
        assert (topic, partition) == ("purchases", 3)
        return {group: self.offsets[group] for group in groups if group in self.offsets}


@pytest.fixture
def positions() -> FakePositions:
    """Where the consumers of ``purchases`` are."""
    return FakePositions()


@pytest_asyncio.fixture
async def context(
    db: Database, clock: FixedClock, positions: FakePositions
) -> AsyncIterator[IngestContext]:
    """Ingest's context, its group commit running."""
    settings = IngestSettings.model_validate(
        {"database_url": "postgresql://unused", "IDENTITY_KEY": IDENTITY_KEY}
    )
    made = app.make_context(settings, db, clock=clock, positions=positions)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.purchases)
        yield made


TERMINAL, ADMIN, APP = auth.new_key(), auth.new_key(), auth.new_key()


@pytest_asyncio.fixture
async def client(context: IngestContext) -> AsyncIterator[httpx.AsyncClient]:
    """The application, called as the terminal of ``purchase_body``."""
    given = [
        auth.Grant(TERMINAL, "terminal", "till", "0042", "0042-03"),
        auth.Grant(ADMIN, "admin", "admin"),
        auth.Grant(APP, "app", "app"),
    ]
    async with context.db.transaction() as tx:
        await auth.bootstrap(tx, given)
    api = create_api(app.service(), context)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api, raise_app_exceptions=False),
        base_url="http://ingest",
        headers=bearer(TERMINAL),
    ) as opened:
        yield opened


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows ``key``."""
    return {"Authorization": f"Bearer {key}"}


Record = Callable[..., Awaitable[list[domain.Outcome]]]


@pytest.fixture
def record(context: IngestContext) -> Record:
    """``await record(sale, …)``: in one transaction."""

    async def record(*items: domain.Sale) -> list[domain.Outcome]:
        async with context.db.transaction() as tx:
            return await sales.record(tx, items, claim_key=b"k" * 32)

    return record


Apply = Callable[[domain.Change], Awaitable[domain.Outcome]]


@pytest.fixture
def apply(context: IngestContext) -> Apply:
    """``await apply(change)``: in a transaction."""

    async def apply(change: domain.Change) -> domain.Outcome:
        async with context.db.transaction() as tx:
            return await handlers.take(tx, change, context)

    return apply


async def enrol(context: IngestContext, *events: MemberChanged) -> None:
    """Hand events of ``members`` to the consumer's handler, in one transaction."""
    async with context.db.transaction() as tx:
        await members.on_members(tx, events, context)


async def published(db: Database) -> Sequence[Any]:
    """Return the events of the outbox in order, parsed by their contract."""
    async with db.transaction() as tx:
        rows = await tx.execute(
            sa.select(outbox.c.topic, outbox.c.key, outbox.c.value).order_by(outbox.c.id)
        )
        return [(row.key.decode(), TOPICS[row.topic].parse(row.value)) for row in rows]
