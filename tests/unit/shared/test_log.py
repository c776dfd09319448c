"""Logs: one JSON object a line, and nothing of a member in it."""

import ast
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared import log

ROOT = Path(__file__).parents[3]
METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


Act = Callable[[], object]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[Act], Any]]:
    """Give a function that runs something with the logs on, and returns what was logged."""
    before = logging.root.handlers[:], logging.root.level

    def run(act: Act) -> Any:
        # Here, not in the fixture: pytest changes sys.stderr between the two.
        log.configure("loyalty", "api", "INFO")
        act()
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield run
    structlog.reset_defaults()
    log._identity.clear()
    logging.root.handlers[:] = before[0]
    logging.root.setLevel(before[1])


def test_fields_outside_the_list_are_withheld(written: Any) -> None:
    logger = log.get_logger("here")
    [line] = written(lambda: logger.info("enrolled", email="jane@example.org", count=3))
    assert (line["email"], line["count"], line["service"]) == ("withheld", 3, "loyalty")


def test_a_line_break_in_a_value_starts_no_new_line(written: Any) -> None:
    [line] = written(lambda: log.get_logger("here").info("one\r\ntwo", detail="a\nb"))
    assert line["detail"] == "a\nb"


def _break() -> None:
    raise ValueError("duplicate key\nDETAIL:  Key (email)=(jane@example.org)")


def _fail() -> None:
    try:
        try:
            _break()
        except ValueError as error:
            raise RuntimeError("outer\n[parameters: ('jane@example.org',)]") from error
    except RuntimeError as error:
        log.get_logger("here").exception("broken", error=repr(error))
        logging.getLogger("uvicorn.error").exception("library\n")


def test_errors_show_where_and_not_what_they_quote(written: Any) -> None:
    ours, library = written(_fail)
    assert "jane" not in json.dumps([ours, library])
    assert ours["exception"][0] == "RuntimeError: outer"
    assert "ValueError: duplicate key" in ours["exception"]
    assert library["logger"] == "uvicorn.error"


def test_lines_carry_the_trace_they_belong_to(written: Any) -> None:
    token = log.traceparent.set("00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    [line] = written(lambda: log.get_logger("here").info("traced"))
    log.traceparent.reset(token)
    assert line["trace_id"] == "a" * 32


def _fields_logged() -> Iterator[tuple[str, str]]:
    for folder in ("shared", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=method)) if (
                        method in METHODS
                    ):
                        for keyword in node.keywords:
                            if keyword.arg and keyword.arg != "exc_info":
                                yield f"{path.relative_to(ROOT)}:{node.lineno}", keyword.arg
                    case _:
                        pass


def test_every_field_in_the_source_is_on_the_list() -> None:
    used = list(_fields_logged())
    assert used
    assert [(place, name) for place, name in used if name not in log.FIELDS] == []
