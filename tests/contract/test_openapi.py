"""docs/openapi says what the routes say."""

import importlib
import json
from pathlib import Path

import pytest

from shared.http import app as http_app

DOCS = Path(__file__).parents[2] / "docs" / "openapi"


@pytest.mark.parametrize("name", ["ingest", "loyalty", "offers", "notify"])
def test_committed_openapi_document_equals_the_routes(name: str) -> None:
    committed = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))

    routes = http_app.openapi(importlib.import_module(f"services.{name}.app").service())

    assert committed == json.loads(json.dumps(routes)), "run 'make openapi' and commit the result"
