"""Whether a service keeps its OpenAPI document's word: schemathesis, all checks, no failure.

``make schemathesis EXAMPLES=500`` is the long form; ``SEED=`` looks elsewhere. Each service has the
test in a file of its own, so that two workers share them.
"""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from shared import auth
from shared.auth.failures import WINDOW_S, Failures
from shared.http.app import create_api
from shared.service import Service
from tests import builders
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import IDENTITY_KEY
from tests.service.shared.conftest import served

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("EXAMPLES", "5")
SEED = os.environ.get("SEED", "1")
LIMIT_S = 600 + 30 * int(EXAMPLES)
"""Most of the time goes by the document's size; the rest by the number of examples."""
ENVIRONMENT = {"IDENTITY_KEY": IDENTITY_KEY, "NOTIFY_UNSUBSCRIBE_KEY": IDENTITY_KEY}

marks = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 60)]


@dataclass(frozen=True)
class Bench:
    """What an examination needs of its test."""

    make_database: MakeDatabase
    monkeypatch: pytest.MonkeyPatch
    folder: Path


async def examine(bench: Bench, name: str, *, beside: Sequence[str] = ()) -> tuple[int, str]:
    """Examine a service; return schemathesis' exit code and report.

    ``beside`` names the services that it asks, which are started as well.
    """
    for variable, value in ENVIRONMENT.items():
        bench.monkeypatch.setenv(variable, value)
    key = auth.new_key()
    async with AsyncExitStack() as stack:
        for other in beside:
            url = await _start(bench, other, key, stack)
            bench.monkeypatch.setenv(f"{name}_{other}_URL".upper(), url)
        url = await _start(bench, name, key, stack)
        return await _examined(url, key, bench.folder)


async def _start(bench: Bench, name: str, key: str, stack: AsyncExitStack) -> str:
    """Serve a service by a real uvicorn on a real Postgres; return its URL."""
    bench.monkeypatch.setenv(f"{name}_DATABASE_URL".upper(), "postgresql://unused")
    service: Service = importlib.import_module(f"services.{name}.app").service()
    db = await bench.make_database(service)
    async with db.transaction() as tx:
        await auth.bootstrap(tx, [auth.Grant(key, "admin", "schemathesis")])
        if "credentials" in service.handlers:
            await auth.beat(tx, builders.FRESH)
    context = await service.open_context(service.settings(), db, stack)
    api = create_api(service, context)
    # Each failure in a minute of its own: what is asked of is the document, not the brake.
    api.state.auth_failures = Failures(monotonic=count(step=WINDOW_S).__next__)
    url, _ = await stack.enter_async_context(served(api))
    return url


async def _examined(url: str, key: str, folder: Path) -> tuple[int, str]:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"),
        *(f"{url}/openapi.json", "--header", f"Authorization: Bearer {key}"),
        *("--seed", SEED, "--max-examples", EXAMPLES, "--no-color"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode(errors="replace")
