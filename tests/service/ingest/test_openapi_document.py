"""The OpenAPI document of ingest, held against the running service."""

from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.service import conformance

pytestmark = conformance.marks


async def test_ingest_keeps_the_word_of_its_openapi_document(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = conformance.Bench(make_database, monkeypatch, tmp_path)

    code, report = await conformance.examine(bench, "ingest", beside=["loyalty"])

    assert code == 0, report
