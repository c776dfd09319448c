"""The howto of moving in, run as it stands on a whole stack."""

from typing import Any

import httpx
import pytest

from tests.e2e.documents import run, shell_blocks
from tests.rig import CHECKOUT, Rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_the_howto_brings_a_shop_over_and_mails_nobody(rig: Rig) -> None:
    env = rig.env

    printed = await run(rig, "".join(shell_blocks(CHECKOUT / "docs" / "howto" / "moving-in.md")))

    assert "2,points,invalid_request" in printed
    assert '"kind": "receipts"' in printed
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
    mails = [mail.read_text() for mail in (rig.root / "mail").glob("**/*.eml")]
    assert not [mail for mail in mails if "@shop.example" in mail]


def connect(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"})


async def read(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()
