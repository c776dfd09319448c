"""The howto of moving in, run as it stands on a whole stack."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rig import CHECKOUT, Rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def rig(scratch: Path) -> Iterator[Rig]:
    made = Rig(scratch / "moving-in")
    made.command("deploy.local", "up")
    yield made
    made.command("deploy.local", "clean")


async def test_the_howto_brings_a_shop_over_and_mails_nobody(rig: Rig) -> None:
    text = (CHECKOUT / "docs" / "howto" / "moving-in.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    env = rig.env
    await until(lambda: knows_the_key(env))

    done = await asyncio.to_thread(
        subprocess.run,
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            "".join(blocks).replace(".local/env", f"{rig.root}/env"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2,points,invalid_request" in done.stdout
    assert '"kind": "receipts"' in done.stdout
    async with connect(env["LOYALTY_URL"], env["APP_KEY"]) as app:
        ada = await read(app, "/v1/members:lookup", card="77001001")
        balance = await read(app, f"/v1/members/{ada['member_id']}/balance")
        (entry,) = (await read(app, f"/v1/members/{ada['member_id']}/entries"))["data"]
    assert (ada["name"], balance["available"]) == ("Example, Ada", 120)
    assert "previous programme: 120 points" in entry["explain"]["words"]
    async with connect(env["OFFERS_URL"], env["APP_KEY"]) as app:

        async def history_is_known() -> bool:
            answer = await app.get(f"/v1/members/{ada['member_id']}/profile")
            return "TROPICAL FRUIT" in answer.text

        await until(history_is_known)
    async with connect(env["NOTIFY_URL"], env["APP_KEY"]) as app:
        inbox = await read(app, f"/v1/members/{ada['member_id']}/inbox")
    assert inbox["data"] == []
    assert list((rig.root / "mail").glob("**/*.eml")) == []


def connect(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"})


async def knows_the_key(env: dict[str, str]) -> bool:
    """Keys travel to loyalty by an event; an operator comes minutes later."""
    async with connect(env["LOYALTY_URL"], env["ADMIN_KEY"]) as admin:
        return (
            await admin.get("/v1/imports/00000000-0000-0000-0000-000000000000")
        ).status_code == 404


async def read(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()
