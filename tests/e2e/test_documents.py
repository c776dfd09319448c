"""What README and howtos show, run as it stands on one whole stack: real processes, real HTTP.

All in one file, so that one worker starts one stack; it is gone before the next file.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rig import CHECKOUT, Rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(240)]

POINTS = 88
"""$4.44 of tropical fruit at 20 points a dollar, rounded down."""
CANARY = "ann-"
"""Begins the address with which the example of forms signs up."""


@pytest.fixture(scope="module")
def rig(scratch: Path) -> Iterator[Rig]:
    made = Rig(scratch / "documents")
    made.command("deploy.local", "up")
    yield made
    made.command("deploy.local", "clean")


def shell_blocks(document: Path, *, below: str = "") -> list[str]:
    """Return the shell blocks of a document, from the line ``below`` on."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```", text[text.index(below) :], re.DOTALL | re.MULTILINE)
    assert found
    return found


async def run(rig: Rig, script: str) -> str:
    """Run a script on the rig's stack and return what it printed; it must succeed."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script.replace(".local/env", f"{rig.root}/env")],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def connect(rig: Rig, service: str, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {rig.env[f'{key}_KEY']}"}
    return httpx.AsyncClient(base_url=rig.env[f"{service.upper()}_URL"], headers=headers)


async def read(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_example_of_the_readme_earns_what_it_says(rig: Rig) -> None:
    example, *_ = shell_blocks(CHECKOUT / "README.md", below="## One purchase by hand")
    printed = await run(rig, example + '\nprintf "\\nmember %s\\n" "${id:?$member}"\n')
    assert '"duplicate":false' in printed.replace(" ", "")
    member = printed.rsplit("member ", 1)[1].strip()
    async with connect(rig, "loyalty", "APP") as app:

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
    async with connect(rig, "ingest", "TERMINAL") as till:
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


async def test_a_tills_day_on_the_whole_stack_keeps_every_rule(rig: Rig) -> None:
    env, card = rig.env, "9840007777"
    member = {"identifiers": [{"kind": "card", "value": card}]}
    async with connect(rig, "loyalty", "APP") as app:
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


async def test_who_signs_up_is_a_member_whose_consent_notify_can_show(rig: Rig) -> None:
    example, *_ = shell_blocks(CHECKOUT / "docs" / "howto" / "forms.md")
    printed = await run(rig, example + '\nprintf "\\nsubmission %s\\n" "$submission"\n')
    submission = printed.rsplit("submission ", 1)[1].strip()
    async with connect(rig, "ingest", "APP") as app, connect(rig, "notify", "STAFF") as staff:
        url = f"/v1/forms/club/submissions/{submission}"

        async def settled() -> bool:
            return (await app.get(url)).json()["status"] == "settled"

        await until(settled)
        member_id = (await app.get(url)).json()["member_id"]

        async def agreed() -> bool:
            told = (await staff.get(f"/v1/members/{member_id}/consents")).text
            return "form:club/marketing/email" in told

        await until(agreed)
        page = await app.get("/f/club", headers={"Authorization": ""})
        assert "Join the club" in page.text
    assert CANARY not in "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in (rig.root / "log").rglob("*")
        if path.is_file()
    )


async def test_a_gift_card_is_sold_and_pays_for_a_purchase(rig: Rig) -> None:
    example, *_ = shell_blocks(CHECKOUT / "docs" / "howto" / "gift-cards.md")
    printed = await run(rig, example + '\nprintf "\\ncard %s\\n" "$card_id"\n')
    card_id = printed.rsplit("card ", 1)[1].strip()
    async with connect(rig, "loyalty", "TERMINAL") as till:

        async def paid() -> bool:
            card = await read(till, f"/v1/gift-cards/{card_id}")
            return (card["available_minor"], card["held_minor"]) == (3_001, 0)

        await until(paid)


async def test_two_memberships_become_one_and_two_again(rig: Rig) -> None:
    example, back, *_ = shell_blocks(CHECKOUT / "docs" / "howto" / "merges.md")
    told = '\nprintf "\\nmembers %s %s\\n" "$old" "$new"\nsleep 3\n'
    printed = await run(rig, example + told + back)
    old, new = printed.rsplit("members ", 1)[1].split()[:2]
    async with connect(rig, "loyalty", "STAFF") as office:

        async def has(member_id: str) -> int:
            available: int = (await read(office, f"/v1/members/{member_id}/balance"))["available"]
            return available

        async def apart() -> bool:
            # Of the old card's sales the one of the time between stays with who took over.
            return (await has(old), await has(new)) == (100, 60 + 40)

        await until(apart)
        words = [
            one["explain"]["words"]
            for one in (await read(office, f"/v1/members/{new}/entries"))["data"]
        ]
    assert "Taken over from another membership: 100 points." in words
    assert "Given back to the other membership: 100 points." in words


async def test_the_howto_brings_a_shop_over_and_mails_nobody(rig: Rig) -> None:
    printed = await run(rig, "".join(shell_blocks(CHECKOUT / "docs" / "howto" / "moving-in.md")))
    assert "2,points,invalid_request" in printed
    assert '"kind": "receipts"' in printed
    async with connect(rig, "loyalty", "APP") as app:
        ada = await read(app, "/v1/members:lookup", card="77001001")
        balance = await read(app, f"/v1/members/{ada['member_id']}/balance")
        (entry,) = (await read(app, f"/v1/members/{ada['member_id']}/entries"))["data"]
    assert (ada["name"], balance["available"]) == ("Example, Ada", 120)
    assert "previous programme: 120 points" in entry["explain"]["words"]
    async with connect(rig, "offers", "APP") as app:

        async def history_is_known() -> bool:
            answer = await app.get(f"/v1/members/{ada['member_id']}/profile")
            return "TROPICAL FRUIT" in answer.text

        await until(history_is_known)
    async with connect(rig, "notify", "APP") as app:
        inbox = await read(app, f"/v1/members/{ada['member_id']}/inbox")
    assert inbox["data"] == []
    mails = [mail.read_text() for mail in (rig.root / "mail").glob("**/*.eml")]
    assert not [mail for mail in mails if "@shop.example" in mail]
