"""The spool's sender against a real ingest: whatever breaks, every receipt is there once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from perennial_client import KeyNotAccepted, Patience, Sender, SpoolInUse
from services.ingest.store import tables
from shared.clock import Clock, FixedClock
from tests.service.client.conftest import QUICK, Shop, Till, within
from tests.service.ingest.conftest import NOW, purchase_body, return_body

CHECKOUT = Path(__file__).parents[3]
BUSY = json.dumps({"code": "overloaded", "status": 503}).encode()
PORTAL = b"<html>Log in to FreeWifi</html>"


@pytest.fixture
def clock() -> Clock:
    """Stand two days behind the sale of ``purchase_body``: a week behind it staff would decide."""
    return FixedClock(NOW + timedelta(days=2))


def numbers(first: int, count: int) -> dict[str, int]:
    return {str(number): 1 for number in range(first, first + count)}


async def test_three_days_without_a_network_arrive_once_each_and_in_order(
    shop: Shop, till: Till
) -> None:
    with till.spool() as spool:
        async with till.sender(spool) as sender:
            stop = asyncio.Event()
            running = asyncio.create_task(sender.run(stop))
            shop.line.cut()
            for day in range(3):
                for hour in range(24):
                    at = f"2026-11-2{day}T{hour:02}:05:00+01:00"
                    said = purchase_body(
                        f"{24 * day + hour}", occurred_at=at, business_date=at[:10]
                    )
                    spool.put("purchase", said)
                await asyncio.sleep(0.1)  # the sender tries, in vain
            assert sender.trouble is not None
            assert await shop.receipts() == {}
            shop.line.mend()
            await within(20, drained(sender))
            stop.set()
            await running
    assert await shop.receipts() == numbers(0, 72)
    by_time = sa.select(tables.receipt.c.terminal_seq).order_by(tables.receipt.c.occurred_at)
    async with shop.db.transaction() as tx:
        assert list(await tx.scalars(by_time)) == list(range(1, 73))


async def drained(sender: Sender) -> None:
    while sender.spool.status().waiting:
        await asyncio.sleep(0.01)


@pytest.mark.timeout(300)
async def test_a_till_killed_again_and_again_loses_and_doubles_nothing(
    shop: Shop, till: Till
) -> None:
    draw = Random(7)
    said = 0
    for life in range(8):
        last = life == 7
        arguments = [str(till.path), shop.url, str(said), "25" if last else "100000"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.service.client.till_program", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{shop.key}\n".encode())
        for _ in range(draw.randint(5, 25)):
            said = int(await within(30, process.stdout.readline())) + 1
        if not last:
            os.kill(process.pid, signal.SIGKILL)
        rest = (await within(30, process.stdout.read())).split()
        said = int(rest[-1]) + 1 if rest else said
        assert await process.wait() == (0 if last else -signal.SIGKILL)

    with till.spool() as spool:
        assert spool.status().waiting == 0
        assert spool.set_aside() == []
    found = await shop.receipts()
    # The receipt whose put was killed before it said so may be there, too; once.
    assert found.items() >= numbers(0, said).items()
    assert set(found.values()) == {1}
    async with shop.db.transaction() as tx:
        seqs = list(await tx.scalars(sa.select(tables.receipt.c.terminal_seq)))
    assert sorted(seqs) == list(range(1, len(found) + 1))


async def test_what_was_recorded_but_not_marked_is_sent_again_and_replayed(
    shop: Shop, till: Till
) -> None:
    ended: list[Any] = []
    shop.line.answers_lost = 3
    with till.spool() as spool:
        for number in range(5):
            spool.put("purchase", purchase_body(str(number)))
        async with till.sender(spool, on_end=lambda _, one: ended.append(one)) as sender:
            await within(10, sender.drain())
    assert shop.line.swallowed == 3
    assert any(one.duplicate for one in ended)
    assert await shop.receipts() == numbers(0, 5)


async def test_retry_after_is_waited_for_and_the_same_bytes_are_sent_again(
    shop: Shop, till: Till
) -> None:
    shop.weather.answers = [(503, {"Retry-After": "1"}, BUSY)] * 2
    loop = asyncio.get_running_loop()
    with till.spool() as spool:
        spool.put("purchase", purchase_body("0"))
        async with till.sender(spool) as sender:
            began = loop.time()
            await within(10, sender.drain())
    assert loop.time() - began >= 2
    (first, second) = shop.weather.seen
    assert first == second
    assert await shop.receipts() == numbers(0, 1)


async def test_what_can_never_succeed_is_set_aside_and_blocks_nothing(
    shop: Shop, till: Till
) -> None:
    with till.spool() as spool:
        spool.put("purchase", purchase_body("0"))
        spool.put("purchase", purchase_body("1", total_minor=112))
        spool.put("return", return_body(currency="dollars"))
        spool.put("purchase", purchase_body("2"))
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
        aside = [json.loads(one.problem or "{}")["code"] for one in spool.set_aside()]
    assert aside == ["invalid_request", "invalid_request"]
    assert sorted(await shop.receipts()) == ["0", "2"]


@pytest.mark.parametrize("company", [0, 3])
async def test_a_conflict_is_set_aside_with_the_fields_that_differ(
    shop: Shop, till: Till, company: int
) -> None:
    """Alone and in a batch."""
    other = till.path.with_name("restored.db")
    with till.spool() as spool:
        spool.put("purchase", purchase_body("0"))
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
    with Till(shop, other).spool() as spool:
        spool.put("purchase", purchase_body("0", sales_channel="app"))
        for number in range(1, company + 1):
            spool.put("purchase", purchase_body(str(number)))
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
        (aside,) = spool.set_aside()
    assert json.loads(aside.problem or "{}")["fields"] == ["sales_channel"]
    assert await shop.receipts() == numbers(0, company + 1)


async def test_a_captive_portal_is_no_answer(shop: Shop, till: Till) -> None:
    shop.weather.answers = [(200, {}, PORTAL), (302, {}, b""), (404, {}, PORTAL), (403, {}, PORTAL)]
    with till.spool() as spool:
        spool.put("purchase", purchase_body("0"))
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
        assert spool.set_aside() == []
    assert await shop.receipts() == numbers(0, 1)


async def test_a_batch_refused_as_a_whole_is_told_apart_row_by_row(shop: Shop, till: Till) -> None:
    refusal = json.dumps({"code": "body_too_large", "status": 413}).encode()
    shop.weather.answers = [(413, {}, refusal)]
    with till.spool() as spool:
        for number in range(9):
            spool.put("purchase", purchase_body(str(number)))
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
        assert spool.set_aside() == []
    assert await shop.receipts() == numbers(0, 9)


async def test_batches_that_fail_are_halved_until_they_work(shop: Shop, till: Till) -> None:
    shop.weather.answers = [(503, {}, BUSY)] * 3
    with till.spool() as spool:
        for number in range(8):
            spool.put("purchase", purchase_body(str(number)))
        async with till.sender(spool) as sender:
            ended = await within(10, sender.drain())
    assert [len(json.loads(body)) for _, body in shop.weather.seen] == [8, 4, 2]
    assert [entry.terminal_seq for entry, _ in ended] == list(range(1, 9))
    assert await shop.receipts() == numbers(0, 8)


async def test_a_receipt_that_the_server_breaks_on_is_set_aside_in_the_end(
    shop: Shop, till: Till
) -> None:
    bug = json.dumps({"code": "internal_error", "status": 500}).encode()
    shop.weather.answers = [(500, {}, bug)] * 3
    with till.spool() as spool:
        spool.put("return", return_body())
        spool.put("purchase", purchase_body("0"))
        patience = Patience(first_pause_s=0.01, longest_pause_s=0.01, bugs_max=3)
        async with till.sender(spool, patience) as sender:
            await within(10, sender.drain())
        assert [one.kind for one in spool.set_aside()] == ["return"]
    assert await shop.receipts() == numbers(0, 1)


async def test_a_refused_key_holds_everything_and_loses_nothing(shop: Shop, till: Till) -> None:
    with till.spool() as spool:
        for number in range(2):
            spool.put("purchase", purchase_body(str(number)))
        async with till.sender(spool, key=f"{shop.key[:-1]}!") as sender:
            with pytest.raises(KeyNotAccepted, match="401 unauthenticated"):
                await within(10, sender.drain())
            stop = asyncio.Event()
            running = asyncio.create_task(sender.run(stop))
            await asyncio.sleep(0.2)  # it tries on, in vain
            stop.set()
            await within(10, running)
            assert sender.trouble is not None
        assert spool.set_aside() == []
        async with till.sender(spool) as sender:
            await within(10, sender.drain())
    assert await shop.receipts() == numbers(0, 2)


async def test_an_answer_that_does_not_come_is_given_up_at_the_deadline(till: Till) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A byte now and then keeps every timeout between packets from striking.
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 200 OK\r\n" if held else b"x")
            held.clear()
            await asyncio.sleep(0.05)

    held = ["head"]
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    till.shop.line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    patience = Patience(first_pause_s=5.0, longest_pause_s=5.0, deadline_s=0.3)
    with till.spool() as spool:
        spool.put("purchase", purchase_body("0"))
        async with till.sender(spool, patience) as sender:
            draining = asyncio.create_task(sender.drain())
            while sender.trouble is None:
                await asyncio.sleep(0.01)
            draining.cancel()
        assert sender.trouble == "no answer in 0.3 s"
        assert spool.status().waiting == 1
    server.close()


async def test_two_senders_of_one_spool_are_refused_until_the_first_is_gone(till: Till) -> None:
    with till.spool() as spool, till.spool() as other:
        async with till.sender(spool):
            with pytest.raises(SpoolInUse):
                await till.sender(other).__aenter__()
        async with till.sender(other):
            pass


async def test_sales_put_while_sending_follow_by_themselves(shop: Shop, till: Till) -> None:
    with till.spool() as spool, till.spool() as checkout:
        async with till.sender(spool, QUICK) as sender, asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            group.create_task(sender.run(stop))
            for number in range(20):
                checkout.put("purchase", purchase_body(str(number)))
                await asyncio.sleep(0)
            await within(10, drained(sender))
            stop.set()
    assert await shop.receipts() == numbers(0, 20)
