"""Each service keeps its OpenAPI document's word: schemathesis, all checks, no failure.

``make schemathesis EXAMPLES=500`` is the long form; ``SEED=`` looks elsewhere.
"""

import asyncio
import importlib
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from shared import auth
from shared.auth.guard import WINDOW_S, Failures
from shared.http.app import create_api
from shared.service import Service
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import IDENTITY_KEY
from tests.service.shared.conftest import served

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("EXAMPLES", "5")
SEED = os.environ.get("SEED", "1")
LIMIT_S = 600 + 30 * int(EXAMPLES)
"""Most of the time goes by the document's size; the rest by the number of examples."""
ENVIRONMENT = {"IDENTITY_KEY": IDENTITY_KEY, "NOTIFY_UNSUBSCRIBE_KEY": IDENTITY_KEY}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 60)]


@pytest.mark.parametrize("name", ["ingest", "loyalty", "offers", "notify"])
async def test_service_keeps_the_word_of_its_openapi_document(
    name: str, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service: Service = importlib.import_module(f"services.{name}.app").service()
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(f"{name.upper()}_DATABASE_URL", "postgresql://unused")
    key = auth.new_key()
    db = await make_database(service)
    async with AsyncExitStack() as stack:
        async with db.transaction() as tx:
            await auth.bootstrap(tx, [auth.Grant(key, "admin", "schemathesis")])
        context = await service.open_context(service.settings(), db, stack)
        api = create_api(service, context)
        # Each failure in a minute of its own: what is asked of is the document, not the brake.
        api.state.auth_failures = Failures(monotonic=count(step=WINDOW_S).__next__)
        url, _ = await stack.enter_async_context(served(api))
        code, output = await _examined(url, key, tmp_path)
    assert code == 0, output


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
