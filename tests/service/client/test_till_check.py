"""The conformance kit: ingest keeps every rule, and each rule notices a server that breaks it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from perennial_client.check import kit
from perennial_client.check.kit import Finding
from perennial_client.check.rules import all_rules
from perennial_client.check.till import Till
from services.ingest.context import IngestContext
from shared.db.plumbing import outbox
from tests.service.client import tricks
from tests.service.client.conftest import STORE, TERMINAL, Shop
from tests.service.ingest.conftest import FakePositions, enrol, enrolled

CARD = "9840001234"


@pytest_asyncio.fixture
async def open_shop(shop: Shop) -> AsyncIterator[Shop]:
    """A shop with one member, whose events are published and consumed in no time."""
    await enrol(shop.context, enrolled(CARD))
    positions = shop.context.positions
    assert isinstance(positions, FakePositions)
    positions.offsets = {"loyalty": 10**12, "offers": 10**12}
    relaying = asyncio.create_task(_relay(shop.context))
    yield shop
    relaying.cancel()


async def _relay(context: IngestContext) -> None:
    waiting = outbox.update().where(outbox.c.published_at.is_(None))
    while True:
        async with context.db.transaction() as tx:
            await tx.execute(
                waiting.values(published_at=sa.func.now(), partition=3, kafka_offset=outbox.c.id)
            )
        await asyncio.sleep(0.02)


async def play(shop: Shop, only: Iterable[str] | None = None, wait_s: float = 10) -> list[Finding]:
    rules = all_rules()
    chosen = rules if only is None else [one for one in rules if one.id in set(only)]
    async with httpx.AsyncClient() as http:
        till = Till(http, shop.url, shop.key, STORE, TERMINAL, card=CARD, wait_s=wait_s)
        return [finding async for finding in kit.play(till, chosen)]


async def test_ingest_keeps_every_rule_on_one_day_and_on_the_next(open_shop: Shop) -> None:
    for _ in range(2):
        findings = await play(open_shop)
        assert [(one.rule.id, one.why) for one in findings if one.outcome != "pass"] == []
        assert len(findings) == len(all_rules()) > 60


@pytest.mark.parametrize("name", tricks.TRICKS)
async def test_a_server_that_is_broken_in_one_way_is_found_out(open_shop: Shop, name: str) -> None:
    trick, rules = tricks.TRICKS[name]
    open_shop.weather.trick = trick
    # What was refused during the day is judged at its end.
    day = rules | ({"malformed-json"} if rules & {"problem-form", "no-server-error"} else set())
    findings = await play(open_shop, day, wait_s=0.5)
    assert {one.rule.id for one in findings if one.outcome == "fail"} >= rules
    assert all(one.exchange is not None for one in findings if one.outcome == "fail")


async def test_a_server_that_lets_anybody_in_is_found_out(open_shop: Shop) -> None:
    open_shop.weather.trick = tricks.open_door(open_shop.key)
    findings = await play(open_shop, {"no-key", "wrong-key"})
    assert [one.outcome for one in findings] == ["fail", "fail"]


def test_every_rule_can_be_broken() -> None:
    broken = frozenset[str]().union(*(rules for _, rules in tricks.TRICKS.values()))
    assert {one.id for one in all_rules()} == broken


async def test_a_rule_whose_route_is_missing_is_not_tried(open_shop: Shop) -> None:
    missing = json.dumps({"code": "not_found", "status": 404}).encode()
    open_shop.weather.answers = [(404, {}, missing)]
    (finding,) = await play(open_shop, {"sale-accepted"})
    assert (finding.outcome, finding.why) == ("skip", "the server has no POST /v1/purchases")


async def test_a_busy_server_is_waited_for(open_shop: Shop) -> None:
    open_shop.weather.answers = [(503, {"Retry-After": "0.01"}, b"{}")] * 2
    (finding,) = await play(open_shop, {"sale-accepted"})
    assert finding.outcome == "pass"


async def command(shop: Shop, *words: str) -> tuple[int, str]:
    environ = {
        "PERENNIAL_URL": shop.url,
        "PERENNIAL_KEY": shop.key,
        "PERENNIAL_STORE": STORE,
        "PERENNIAL_TERMINAL": TERMINAL,
        "COLUMNS": "200",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "perennial_client", "till-check", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 50)
    return process.returncode or 0, out.decode()


async def test_the_command_ends_well_when_all_rules_are_kept(open_shop: Shop) -> None:
    code, said = await command(open_shop, "--only", "sales", "--only", "no-key")
    assert code == 0, said
    assert f"store {STORE}, terminal {TERMINAL}" in said
    assert "sale-repeated-at-once" in said


async def test_the_command_ends_badly_and_shows_the_request_without_its_key(
    open_shop: Shop,
) -> None:
    open_shop.weather.trick = tricks.loses_the_replay_header
    code, said = await command(open_shop, "--only", "sale-repeated")
    assert code == 1
    assert "expected the header Idempotent-Replayed: true" in said
    assert f"curl -sS -X POST {open_shop.url}/v1/purchases" in said
    assert 'Authorization: Bearer $KEY"' in said
    assert open_shop.key not in said


async def test_the_command_tells_programs_in_json(open_shop: Shop) -> None:
    open_shop.weather.trick = tricks.loses_the_replay_header
    code, said = await command(open_shop, "--json", "--only", "sale-accepted", "--only", "claims")
    told = json.loads(said)
    assert code == 0
    assert told["store_id"] == STORE
    outcomes = {one["id"]: one["outcome"] for one in told["rules"]}
    assert outcomes["sale-accepted"] == "pass"
    assert outcomes["claim-repeated"] == "skip"
    assert open_shop.key not in said


async def test_an_unknown_rule_is_a_mistake_of_the_caller(open_shop: Shop) -> None:
    assert (await command(open_shop, "--only", "sale-acepted"))[0] == 2
