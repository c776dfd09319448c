"""House rules that no linter knows; each is a line of the wall or of CONTRIBUTING."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("services", "shared", "deploy", "demo", "bench", "clients", "tests")
GENERATED = Path("clients/python/src/perennial_client/ingest")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
SERVICE_FILES = {
    "__init__",
    "__main__",
    "api",
    "app",
    "consumer",
    "context",
    "domain",
    "handlers",
    "jobs",
    "migrations",
    "settings",
    "store",
}
"""Each may be a file or, once it has grown, a package of the same name."""
EXTRA_FILES = {
    # Many requests, one commit; a client of the one service it asks; the pages of hosted forms.
    "ingest": {"groupcommit", "loyalty", "templates"},
    "notify": {"channels", "templates"},  # ways out of the house, and the wording that goes out
}
BANNED_NAMES = {"common", "constants", "helper", "helpers", "manager", "misc", "util", "utils"}

FILES = sorted(
    path
    for tree in TREES
    for path in (ROOT / tree).rglob("*.py")
    if not path.is_relative_to(ROOT / GENERATED)
)
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def under(*trees: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(ROOT).parts[0] in trees]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    matching = re.compile(pattern)
    return [
        f"{named(path)}:{number}"
        for path in paths
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if matching.search(line)
    ]


def test_no_file_is_longer_than_its_limit() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {path: n for path, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_its_limit() -> None:
    lengths = {
        f"{named(path)}:{each.name}": (each.end_lineno or each.lineno) - each.lineno + 1
        for path in FILES
        for each in functions(path)
    }

    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES_MAX} == {}


def test_every_service_has_the_same_file_names() -> None:
    offenders = [
        named(path)
        for service in SERVICES
        for path in service.iterdir()
        if path.name != "__pycache__"
        and path.stem not in SERVICE_FILES | EXTRA_FILES.get(service.name, set())
    ]

    assert offenders == []


def test_nothing_is_called_utils() -> None:
    assert [named(path) for path in FILES if BANNED_NAMES & {path.stem, path.parent.name}] == []


def test_every_python_file_says_what_it_is_for() -> None:
    silent = [
        named(path)
        for path in FILES
        if "migrations" not in path.parts
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_no_middleware_buffers_responses() -> None:
    assert lines_with(r"import .*\bBaseHTTPMiddleware\b", under("services", "shared")) == []


def test_tests_never_sleep_for_a_fixed_time() -> None:
    """``asyncio.sleep`` in a loop with a deadline is polling; ``time.sleep`` stops the loop."""
    called = [
        f"{named(path)}:{node.lineno}"
        for path in under("tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]

    assert called == []


def test_own_code_is_never_patched() -> None:
    assert (
        lines_with(r"unittest\.mock|\bmocker\b|\bMagicMock\b|\bAsyncMock\b", under("tests")) == []
    )


def test_money_and_points_are_never_fractions() -> None:
    fraction = r"\b\w*(_minor|points)\b\s*:\s*(float|Decimal)\b"

    assert lines_with(fraction, under("services", "shared")) == []


def test_time_is_asked_of_the_clock() -> None:
    asked = r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\("
    allowed = {ROOT / "shared" / "clock.py"}

    paths = [path for path in under("services", "shared") if path not in allowed]
    assert lines_with(asked, paths) == []


def test_a_todo_names_its_issue() -> None:
    assert lines_with(r"\b(TODO|FIXME|XXX)\b(?!.*#\d+)", FILES) == []


def test_a_type_ignore_names_its_rule() -> None:
    assert lines_with(r"#\s*type:\s*ignore|#\s*pyright:\s*ignore(?!\[)", FILES) == []


@pytest.mark.parametrize("path", [ROOT / "Makefile", ROOT / ".ci" / "run"], ids=named)
def test_nothing_is_installed_by_hand(path: Path) -> None:
    """CI and newcomers install what the project's own files say, and nothing else."""
    text = path.read_text(encoding="utf-8")

    assert "curl" not in text
    assert "wget" not in text


def test_every_test_that_the_readme_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "README.md").read_text())
    assert len(named) > 10
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert not missing
