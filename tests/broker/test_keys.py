"""API keys across services: revoked everywhere within seconds, and desks shut without a heartbeat.

Real processes, real Kafka: ingest makes and revokes, loyalty verifies on its own copy.
"""

import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from deploy.local.kafka import LocalKafka
from tests.broker.conftest import until
from tests.broker.fleet import Fleet, fleet

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

EFFECTIVE_WITHIN_S = 5.0
STALE_S = 15


@pytest_asyncio.fixture
async def running(
    make_database_url: Callable[[str], Awaitable[str]], kafka: LocalKafka, tmp_path: Path
) -> AsyncGenerator[Fleet, None]:
    environ = {
        "LOYALTY_CREDENTIALS_STALE_S": str(STALE_S),
        "INGEST_CREDENTIAL_REPORT_S": "0.5",
        "LOYALTY_CREDENTIAL_REPORT_S": "0.5",
    }
    async with fleet(
        make_database_url, kafka, tmp_path, "ingest", "loyalty", **environ
    ) as prepared:
        await prepared.start_all("ingest-all", "loyalty-all")
        yield prepared


async def ask(running: Fleet, key: str) -> int:
    """Ask loyalty for a member that is not there; return the status."""
    async with httpx.AsyncClient(base_url=running.urls["loyalty"], timeout=10) as client:
        path = f"/v1/members/{uuid4()}/balance"
        answer = await client.get(path, headers={"Authorization": f"Bearer {key}"})
    return answer.status_code


async def made(running: Fleet, **body: Any) -> dict[str, Any]:
    """Make a key at ingest."""
    async with running.client("ingest", "admin") as admin:
        answer = await admin.post("/v1/credentials", json={"label": "test"} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_key_works_and_stops_working_in_another_service_within_seconds(
    running: Fleet,
) -> None:
    for role in ("app", "staff"):
        key = await made(running, role=role)

        async def answers(status: int, key: str = key["key"]) -> bool:
            return await ask(running, key) == status

        started = monotonic()
        await until(lambda answers=answers: answers(404), deadline_s=60)
        async with running.client("ingest", "admin") as admin:
            await admin.delete(f"/v1/credentials/{key['key_id']}")
        revoked = monotonic()
        await until(lambda answers=answers: answers(401), deadline_s=60)
        assert monotonic() - revoked < EFFECTIVE_WITHIN_S, f"known after {revoked - started:.1f} s"
    await until(lambda: _last_used(running, key["key_id"]))


async def _last_used(running: Fleet, key_id: str) -> bool:
    """Whether ingest's list says that loyalty has seen the key."""
    async with running.client("ingest", "admin") as admin:
        listed = (await admin.get("/v1/credentials")).json()["data"]
    return any(one["key_id"] == key_id and one["last_used_at"] for one in listed)


async def test_without_a_heartbeat_desks_are_shut_and_tills_and_apps_go_on(
    running: Fleet,
) -> None:
    desks = ("staff", "admin")
    for role in (*desks, "app"):
        await until(lambda role=role: _is(running, role, 404), deadline_s=60)
    ingest = running.process("ingest", "all")
    os.kill(ingest.pid, signal.SIGSTOP)
    try:
        for role in desks:
            await until(lambda role=role: _is(running, role, 503), deadline_s=STALE_S + 15)
        assert await ask(running, running.keys["app"]) == 404
        async with running.client("loyalty", "admin") as admin:
            refused = await admin.get(f"/v1/members/{uuid4()}/balance")
        assert refused.json()["code"] == "credentials_stale"
        assert int(refused.headers["Retry-After"]) >= 1
    finally:
        os.kill(ingest.pid, signal.SIGCONT)
    for role in desks:
        await until(lambda role=role: _is(running, role, 404), deadline_s=60)


async def _is(running: Fleet, role: str, status: int) -> bool:
    return await ask(running, running.keys[role]) == status
