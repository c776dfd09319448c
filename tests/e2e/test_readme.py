"""The README's example, run as it stands on a whole stack: real processes, real HTTP."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.e2e.documents import run, shell_blocks
from tests.rig import CHECKOUT, Rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(240)]

POINTS = 88
"""$4.44 of tropical fruit at 20 points a dollar, rounded down."""


async def test_the_example_of_the_readme_earns_what_it_says(rig: Rig) -> None:
    example, *_ = shell_blocks(CHECKOUT / "README.md", below="## One purchase by hand")
    printed = await run(rig, example + '\nprintf "\\nmember %s\\n" "$id"\n')
    assert '"duplicate":false' in printed.replace(" ", "")
    member = printed.rsplit("member ", 1)[1].strip()
    env = rig.env
    async with httpx.AsyncClient(
        base_url=env["LOYALTY_URL"], headers={"Authorization": f"Bearer {env['APP_KEY']}"}
    ) as app:

        async def earned() -> bool:
            return (await read(app, f"/v1/members/{member}/balance"))["available"] == POINTS

        await until(earned)
        (entry,) = (await read(app, f"/v1/members/{member}/entries"))["data"]
    assert entry["points"] == POINTS
    assert "20" in json.dumps(entry["explain"])


async def test_the_same_purchase_again_is_a_replay_and_its_event_ends_processed(rig: Rig) -> None:
    env = rig.env
    now = datetime.now(UTC)
    body = {
        "store_id": env["TERMINAL_STORE_ID"],
        "terminal_id": env["TERMINAL_ID"],
        "receipt_no": "again",
        "business_date": now.date().isoformat(),
        "occurred_at": now.isoformat(),
        "member": None,
        "currency": "USD",
        "lines": [{"line_no": 1, "sku": "1", "quantity": "1", "amount_minor": 100}],
        "total_minor": 100,
    }
    key = {"Authorization": f"Bearer {env['TERMINAL_KEY']}"}
    async with httpx.AsyncClient(base_url=env["INGEST_URL"], headers=key) as till:
        first = await till.post("/v1/purchases", json=body)
        again = await till.post("/v1/purchases", json=body)
        changed = await till.post("/v1/purchases", json={**body, "sales_channel": "app"})
        event = first.json()["event_id"]

        async def processed() -> bool:
            return (await read(till, f"/v1/events/{event}"))["status"] == "processed"

        assert (first.status_code, again.status_code, changed.status_code) == (202, 202, 409)
        assert again.json()["duplicate"] is True
        assert again.json() == {**first.json(), "duplicate": True}
        assert again.headers["Idempotent-Replayed"] == "true"
        assert changed.headers["content-type"].startswith("application/problem+json")
        assert "sales_channel" in changed.text
        await until(processed)


async def read(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_tills_day_on_the_whole_stack_keeps_every_rule(rig: Rig) -> None:
    env, card = rig.env, "9840007777"
    member = {"identifiers": [{"kind": "card", "value": card}]}
    desk = {"Authorization": f"Bearer {env['APP_KEY']}"}
    async with httpx.AsyncClient(base_url=env["LOYALTY_URL"], headers=desk) as app:
        (await app.post("/v1/members", json=member)).raise_for_status()
    words = ["--store", env["TERMINAL_STORE_ID"], "--terminal", env["TERMINAL_ID"], "--card", card]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "perennial_client", "till-check", *words, "--json"],
        check=False,
        capture_output=True,
        text=True,
        env={"PERENNIAL_URL": env["INGEST_URL"], "PERENNIAL_KEY": env["TERMINAL_KEY"]},
    )
    rules = json.loads(done.stdout)["rules"]
    assert [(one["id"], one["why"]) for one in rules if one["outcome"] != "pass"] == []
    assert done.returncode == 0
