"""The example of docs/howto/forms.md on a whole stack: a form, a sign-up, a member, a consent."""

import httpx
import pytest

from tests.e2e.documents import run, shell_blocks
from tests.rig import CHECKOUT, Rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(240)]

CANARY = "ann-"
"""Begins the address that the example signs up with."""


async def test_who_signs_up_is_a_member_whose_consent_notify_can_show(rig: Rig) -> None:
    example, *_ = shell_blocks(CHECKOUT / "docs" / "howto" / "forms.md")
    printed = await run(rig, example + '\nprintf "\\nsubmission %s\\n" "$submission"\n')
    submission = printed.rsplit("submission ", 1)[1].strip()
    env = rig.env

    def caller(service: str, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {env[key]}"}
        return httpx.AsyncClient(base_url=env[f"{service}_URL"], headers=headers)

    async with caller("INGEST", "APP_KEY") as app, caller("NOTIFY", "STAFF_KEY") as staff:
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
