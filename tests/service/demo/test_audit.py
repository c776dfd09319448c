"""The audit is right about right books, and finds every kind of wrong that is planted."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa

from demo import audit
from shared.db import Database
from tests.conftest import MakeDatabase

RECEIPT, EVENT, RETURN, MEMBER, CAUSE = (uuid4() for _ in range(5))
IDS = {"receipt": RECEIPT, "event": EVENT, "return": RETURN, "member": MEMBER, "cause": CAUSE}
STATE = '{"business_date":"2026-11-01","receipt_no":"7","total_minor":%d}'
DRIVER = audit.Driver(planned=2, sales={EVENT: RECEIPT}, returns=frozenset({RETURN}), net_minor=700)

SALE = """
    INSERT INTO receipt (receipt_id, event_id, body_sha256, store_id, terminal_id, occurred_at,
        received_at, member_id, revision, recorded, state)
    VALUES (:id, :event, '', '1', '1-01', now(), now(), :member, 2, :recorded, :state)
"""
RIGHT: Mapping[str, tuple[str, ...]] = {
    "ingest": (
        """
        INSERT INTO receipt_change (change_id, kind, sale_id, amendment, body_sha256, store_id,
            terminal_id, occurred_at, received_at, facts, state)
        VALUES (:return, 'return', :receipt, 0, '', '1', '1-01', now(), now(), '{}', 'applied')
        """,
    ),
    "loyalty": (
        "INSERT INTO account VALUES (:member, 70, 2, now())",
        "INSERT INTO receipt VALUES (:receipt, :member, 2, 70, 700, 2026)",
        """
        INSERT INTO entry (member_id, version, cause_id, from_account, to_account, points,
            available_after, receipt_id, explain, occurred_at, hash)
        VALUES (:member, 1, :cause, 'issued', 'available', 100, 100, :receipt, '{}', now(), ''),
            (:member, 2, :return, 'available', 'issued', 30, 70, :receipt, '{}', now(), '')
        """,
    ),
    "offers": (
        """
        INSERT INTO receipt (receipt_id, revision, member_id, bought_at, currency, lines, offer_ids)
        VALUES (:receipt, 2, :member, now(), 'USD', '[]', '{}')
        """,
    ),
    "notify": (),
}

LETTER = """
    INSERT INTO dead_letter (id, topic, partition, kafka_offset, state, reason, detail, attempts)
    VALUES (:cause, 'purchases', 0, 1, 'dead', 'malformed', 'planted', 1)
"""
UNSENT = "INSERT INTO outbox (topic, event_id) VALUES ('purchases', :cause)"
TWICE = """
    INSERT INTO entry (member_id, version, cause_id, from_account, to_account, points,
        available_after, receipt_id, explain, occurred_at, hash)
    VALUES (:member, 3, :cause, 'issued', 'available', 100, 170, :receipt, '{}', now(), '')
"""

PLANTED = {
    "a receipt that is gone": ("ingest", "UPDATE receipt SET receipt_id = :cause", "that are lost"),
    "a receipt under another event": (
        "ingest",
        "UPDATE receipt SET event_id = :cause",
        "that are lost",
    ),
    "a return that waits for ever": (
        "ingest",
        "UPDATE receipt_change SET state = 'withheld'",
        "Returns of these",
    ),
    "a cent less": (
        "ingest",
        "UPDATE receipt SET state = replace(state, '700', '699')",
        "Cents in these receipts",
    ),
    "loyalty behind by a revision": (
        "loyalty",
        "UPDATE receipt SET revision = 1",
        "loyalty and ingest differ",
    ),
    "loyalty without the receipt": (
        "loyalty",
        "DELETE FROM receipt",
        "loyalty and ingest differ",
    ),
    "offers with another member's receipt": (
        "offers",
        "UPDATE receipt SET member_id = :cause",
        "offers and ingest differ",
    ),
    "a purchase booked twice": ("loyalty", TWICE, "booked at other than their worth"),
    "a balance that nobody booked": (
        "loyalty",
        "UPDATE account SET available = 71",
        "not their entries' sum",
    ),
    "points from nowhere": (
        "loyalty",
        "INSERT INTO account VALUES (:cause, 9, 1, now())",
        "Programme's plus members' points",
    ),
    "a dead letter": ("notify", LETTER, "Dead letters in any service: notify 1"),
    "an event that was never published": ("offers", UNSENT, "never published: offers 1"),
}

Databases = Mapping[str, Database]


@pytest_asyncio.fixture
async def books(make_database: MakeDatabase) -> Databases:
    """Make four databases in which one sale, one return and their points are right."""
    databases = {name: await make_database(name) for name in RIGHT}
    await _sale(databases["ingest"], RECEIPT, EVENT)
    for name, statements in RIGHT.items():
        for statement in statements:
            await _run(databases[name], statement)
    return databases


async def _sale(database: Database, receipt: UUID, event: UUID) -> None:
    values = {
        "id": receipt,
        "event": event,
        "member": MEMBER,
        "recorded": STATE % 1000,
        "state": STATE % 700,
    }
    async with database.transaction() as tx:
        await tx.execute(sa.text(SALE), values)


async def _run(database: Database, statement: str) -> None:
    needed = {name: value for name, value in IDS.items() if f":{name}" in statement}
    async with database.transaction() as tx:
        await tx.execute(sa.text(statement), needed)


async def _wrong(databases: Databases, driver: audit.Driver = DRIVER) -> list[str]:
    return [one.claim for one in await audit.run(databases, driver) if not one.holds]


async def test_right_books_pass(books: Databases) -> None:
    findings = await audit.run(books, DRIVER)

    assert all(finding.holds for finding in findings)
    assert len(findings) == 13


@pytest.mark.parametrize(("service", "error", "claim"), PLANTED.values(), ids=list(PLANTED))
async def test_a_planted_error_is_found(
    books: Databases, service: str, error: str, claim: str
) -> None:
    await _run(books[service], error)

    assert any(claim in wrong for wrong in await _wrong(books))


async def test_a_receipt_recorded_twice_is_found(books: Databases) -> None:
    await _sale(books["ingest"], uuid4(), uuid4())

    assert "Receipts recorded twice" in await _wrong(books)


async def test_a_call_without_a_yes_is_found(books: Databases) -> None:
    driver = replace(DRIVER, planned=3)

    assert await _wrong(books, driver) == ["Receipts and returns that got a yes"]


async def test_a_closed_dead_letter_is_no_finding(books: Databases) -> None:
    await _run(books["notify"], LETTER)
    await _run(books["notify"], "UPDATE dead_letter SET state = 'dropped', closed_at = now()")

    assert await _wrong(books) == []


def test_a_mail_without_consent_is_found() -> None:
    findings = audit.mails(sent=3, caught=3, to_others=1)

    assert [one.claim for one in findings if not one.holds] == [
        "E-mail addresses that had not agreed"
    ]


def test_a_mail_that_never_arrived_is_found() -> None:
    assert not audit.mails(sent=3, caught=2, to_others=0)[0].holds
