"""The chain of hashes shows what somebody did to the ledger who may do everything to it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from deploy.local import provision
from services.loyalty.app import service
from services.loyalty.handlers import audit
from services.loyalty.store import tables
from shared.db import Database, Tx, migrate, open_database
from tests import builders
from tests.builders import MEMBER, NOW
from tests.conftest import Templates
from tests.service.loyalty.desk import IDENTITY_KEY, Desk

OTHER = UUID(int=2)


def sale(number: int, member: UUID = MEMBER) -> Any:
    return builders.purchase_recorded(
        receipt_no=str(number), member_id=member, occurred_at=NOW + timedelta(minutes=number)
    )


async def test_batches_and_replays_keep_the_chain_whole(desk: Desk) -> None:
    sales = [sale(number, MEMBER if number % 3 else OTHER) for number in range(20)]

    for at in range(0, 20, 7):
        await desk.apply(*sales[at : at + 7])
    await desk.apply(*sales)

    report = await desk.audit()
    assert report.ok
    assert (report.entries, report.wrong_hashes, report.wrong_heads) == (20, 0, 0)


@dataclass(frozen=True)
class Opened:
    """One database, by both of its roles."""

    desk: Desk
    owner: Database


@asynccontextmanager
async def opened(templates: Templates, roles: provision.Roles, name: str) -> AsyncGenerator[Opened]:
    admin = templates.postgres
    owner = admin.url(name, role=roles.owner, password=roles.owner_password)
    databases = [
        open_database(url.replace("://", "+asyncpg://", 1), application_name="test")
        for url in (templates.runtime_url(roles, name), owner)
    ]
    try:
        yield Opened(Desk(databases[0]), databases[1])
    finally:
        for database in databases:
            await database.close()
        await provision.drop_database(admin.url(), name)


@pytest.mark.parametrize(
    ("tampering", "hashes", "heads", "breaks_at"),
    [
        ("UPDATE entry SET points = points + 1 WHERE version = 2", 1, 0, [2]),
        ("UPDATE entry SET explain = '{}' WHERE version = 2", 1, 0, [2]),
        (
            "UPDATE entry SET occurred_at = occurred_at + interval '1 us' WHERE version = 1",
            1,
            0,
            [1],
        ),
        ("UPDATE entry SET member_id = gen_random_uuid() WHERE version = 3", 1, 2, [3, 3]),
        ("DELETE FROM entry WHERE version = 2", 1, 0, [3]),
        ("DELETE FROM entry WHERE version = 3", 0, 1, [3]),
        ("UPDATE account SET hash = '\\x00'", 0, 1, [3]),
    ],
)
async def test_what_the_owner_of_the_database_does_is_found(
    templates: Templates, tampering: str, hashes: int, heads: int, breaks_at: list[int]
) -> None:
    roles, name = await templates.clone(service())
    async with opened(templates, roles, name) as books:
        await books.desk.apply(sale(1), sale(2), sale(3))
        async with books.owner.transaction() as tx:
            await tx.execute(sa.text(tampering))
        report = await books.desk.audit()
        async with books.desk.db.transaction() as tx:
            found = await audit.verify(tx)

    assert (report.wrong_hashes, report.wrong_heads) == (hashes, heads)
    assert not report.ok
    assert not found.ok
    assert [one.entry for one in found.breaks] == breaks_at


async def test_the_command_names_the_entry_and_ends_with_1(templates: Templates) -> None:
    roles, name = await templates.clone(service())
    async with opened(templates, roles, name) as books:
        await books.desk.apply(sale(1), sale(2), sale(3), sale(4, OTHER))
        whole = await verified(books.desk)
        async with books.owner.transaction() as tx:
            await tx.execute(sa.text("UPDATE entry SET points = points + 1 WHERE version = 2"))
        broken = await verified(books.desk)

    assert (whole.returncode, whole.stderr) == (0, "")
    said = " ".join(whole.stdout.split())
    assert "The books close: 4 entries of points and 0 of gift money." in said
    assert (broken.returncode, broken.stderr) == (1, "")
    said = " ".join(broken.stdout.split())
    assert f"The chain of member {MEMBER} breaks at entry 2." in said
    assert f"{OTHER} breaks" not in said


async def verified(desk: Desk) -> "subprocess.CompletedProcess[str]":
    """Run the command as an operator does."""
    url = desk.db.engine.url.render_as_string(hide_password=False)
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.loyalty", "verify"],
        env={**os.environ, "LOYALTY_DATABASE_URL": url, "IDENTITY_KEY": IDENTITY_KEY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


OLD_BOOKS = (
    "INSERT INTO account VALUES (:member, 'available', 70, 2, now())",
    "INSERT INTO receipt VALUES (:receipt, :member, 2, 70, 700, 2026)",
    "INSERT INTO lot VALUES (:member, :receipt, 70, 70, now(), now())",
    """
    INSERT INTO entry (cause_id, account, points, member_id, account_version, balance_after,
        receipt_id, programme_version, explain, occurred_at)
    VALUES (gen_random_uuid(), 'available', 100, :member, 1, 100, :receipt, 'v1',
            '{"why":"purchase","worth": 100, "posted_before": 0, "lines":[1, 1000, 0, 100]}',
            now() - interval '3 days'),
        (gen_random_uuid(), 'issued', -100, NULL, NULL, NULL, NULL, NULL, NULL, now()),
        (gen_random_uuid(), 'available', -30, :member, 2, 70, :receipt, 'v1',
            '{"why":"return","worth": 70, "posted_before": 100, "lines":[1, 700, 0, 70]}', now()),
        (gen_random_uuid(), 'issued', 30, NULL, NULL, NULL, NULL, NULL, NULL, now())
    """,
)


async def test_books_of_the_first_schema_are_carried_over_and_go_on(templates: Templates) -> None:
    roles, name = provision.new_roles("old_loyalty"), "loyalty_of_old"
    admin = templates.postgres.url()
    await provision.provision(admin, roles)
    await provision.create_database(admin, name, roles)
    settings = templates.settings(roles, name)
    await migrate.upgrade(service(), settings, to="0001")
    async with opened(templates, roles, name) as books:
        async with books.owner.transaction() as tx:
            await fill(tx)
        await migrate.upgrade(service(), settings)
        carried_over = await books.desk.audit()
        (receipt,) = await books.desk.rows(tables.receipt)
        (lot,) = await books.desk.rows(tables.lot)
        await books.desk.apply(sale(1))
        gone_on = await books.desk.audit()
        entries = await books.desk.entries(MEMBER)

    assert (carried_over.ok, carried_over.entries, carried_over.available) == (True, 2, 70)
    assert (receipt.desired, receipt.programme_version) == (70, "v1")
    assert receipt.occurred_at == lot.activates_at
    assert gone_on.ok
    assert entries == [100, -30, 19]


async def fill(tx: Tx) -> None:
    for statement in OLD_BOOKS:
        needed = {"member": MEMBER, "receipt": UUID(int=7)}
        used = {name: value for name, value in needed.items() if f":{name}" in statement}
        await tx.execute(sa.text(statement), used)
