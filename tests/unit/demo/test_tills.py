"""Simulated tills against a shop that drops, refuses and repeats answers."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import httpx
import pytest
import pytest_asyncio

from demo import plan, tills
from demo.replay import Replay

RECEIPT = UUID(int=7)


class Shop:
    """Answers as ingest does, after ``troubles`` (status codes, or None for a cut line)."""

    def __init__(self, *troubles: int | None) -> None:
        """Begin with the troubles, one per call."""
        self.troubles = list(troubles)
        self.known: set[str] = set()
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one call."""
        body = json.loads(request.content)
        if self.troubles:
            trouble = self.troubles.pop(0)
            if trouble is None:
                message = "cut"
                raise httpx.ReadTimeout(message)
            return httpx.Response(
                trouble, json={"code": "trouble", "status": trouble}, headers={"Retry-After": "0"}
            )
        if isinstance(body, list):
            results = [{"index": n} | self._result(one) for n, one in enumerate(body)]
            return httpx.Response(207, json={"results": results})
        return httpx.Response(202, json=self._result(body))

    def _result(self, body: dict[str, str]) -> dict[str, object]:
        number = body["receipt_no"]
        known = number in self.known
        self.known.add(number)
        self.seen.append(number)
        event = str(uuid5(RECEIPT, number))
        outcome = "replayed" if known else "accepted"
        return {"event_id": event, "duplicate": known, "outcome": outcome}


def _call(number: str = "1", fate: plan.Fate = "normal") -> plan.Call:
    return plan.Call(
        at=datetime(2026, 11, 1, tzinfo=UTC),
        store_id="1",
        path="/v1/purchases",
        key=f"sale {number}",
        receipt_id=RECEIPT,
        body={
            "store_id": "1",
            "terminal_id": plan.terminal_id("1"),
            "business_date": "2026-11-01",
            "receipt_no": number,
        },
        fate=fate,
    )


MakeTill = Callable[[Callable[[httpx.Request], httpx.Response]], Awaitable[tills.Till]]


@pytest_asyncio.fixture
async def make_till(tmp_path: Path) -> AsyncIterator[MakeTill]:
    """Make a till of a shop, with a log of its own."""
    async with AsyncExitStack() as stack:

        async def make(shop: Callable[[httpx.Request], httpx.Response]) -> tills.Till:
            record = tills.Record(tmp_path / "log" / "driver.jsonl")
            opening = tills.open_tills(
                "http://shop", {"1": "prn_key"}, record, transport=httpx.MockTransport(shop)
            )
            return (await stack.enter_async_context(opening))["1"]

        yield make


async def test_a_sale_is_sent_until_it_is_answered(make_till: MakeTill) -> None:
    till = await make_till(Shop(None, 503, 429))

    await till.send(_call())

    assert till.record.counts == {"accepted": 1}
    assert list(till.record.accepted) == ["sale 1"]


async def test_a_lost_answer_is_asked_for_again(make_till: MakeTill) -> None:
    till = await make_till(Shop(None))

    await till.send(_call(fate="answer_lost"))

    assert till.record.counts == {"lost": 1, "accepted": 1}


async def test_an_answer_that_was_quick_enough_counts_too(make_till: MakeTill) -> None:
    till = await make_till(Shop())

    await till.send(_call(fate="answer_lost"))

    assert till.record.counts == {"accepted": 1, "replayed": 1}
    assert len(till.record.accepted) == 1


async def test_a_duplicate_is_one_receipt(make_till: MakeTill) -> None:
    till = await make_till(Shop())

    await till.send(_call(fate="sent_twice"))

    assert till.record.counts == {"accepted": 1, "replayed": 1}
    assert till.record.events == {"sale 1": uuid5(RECEIPT, "1")}


async def test_an_upload_has_an_outcome_per_row(make_till: MakeTill) -> None:
    shop = Shop()
    shop.known.add("2")
    till = await make_till(shop)

    await till.upload([_call("1"), _call("2"), _call("3")])

    assert till.record.counts == {"accepted": 2, "replayed": 1, "uploaded": 3}


@pytest.mark.parametrize("status", [409, 422, 401, 500])
async def test_a_refusal_ends_the_run(make_till: MakeTill, status: int) -> None:
    with pytest.raises(tills.TillError, match=str(status)):
        await (await make_till(Shop(status))).send(_call())


async def test_a_repeat_with_another_event_id_ends_the_run(make_till: MakeTill) -> None:
    till = await make_till(Shop())
    till.record.events["sale 1"] = UUID(int=9)

    with pytest.raises(tills.TillError, match="before"):
        await till.send(_call())


async def test_every_answer_is_logged(make_till: MakeTill) -> None:
    till = await make_till(Shop(None))
    with till.record:
        await till.send(_call(fate="answer_lost"))

    lines = [json.loads(line) for line in till.record.path.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["lost", "accepted"]


async def test_a_till_keeps_its_order_and_a_refusal_stops_all(make_till: MakeTill) -> None:
    shop = Shop()
    till = await make_till(shop)
    done: list[plan.Step] = []

    async def enrol(_: int) -> None:
        return

    replay = Replay({"1": till}, enrol, till.record, at_once=4)
    await replay.run(tuple(_call(str(number)) for number in range(20)), done.append)

    assert shop.seen == [str(number) for number in range(20)]
    assert len(done) == 20
    shop.troubles.append(409)
    with pytest.raises(ExceptionGroup):
        await replay.run((_call("99"), _call("100")), done.append)
