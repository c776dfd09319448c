"""The OpenAPI document of loyalty, held against the running service."""

from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.service import conformance

pytestmark = conformance.marks


async def test_loyalty_keeps_the_word_of_its_openapi_document(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As where only loyalty is run: an export asks nobody.
    for name in ("LOYALTY_OFFERS_URL", "LOYALTY_NOTIFY_URL"):
        monkeypatch.setenv(name, "")
    bench = conformance.Bench(make_database, monkeypatch, tmp_path)

    code, report = await conformance.examine(bench, "loyalty")

    assert code == 0, report
