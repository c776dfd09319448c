"""Structured logs: one JSON object a line on stderr, never personal data, never payloads.

Fields are on an allow-list, so that a well-meant ``logger.info("enrolled", email=…)`` shows
``"withheld"`` and not the address. Errors are cut to their first line: behind it Postgres quotes
the row, SQLAlchemy the parameters and pydantic the input.
"""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LONGEST_VALUE = 1_000
LONGEST_TRACE = 60
WITHHELD = "withheld"

FIELDS = frozenset(
    {
        "age_s",
        "amount_minor",
        "attempt",
        "attempts",
        "batch",
        "bytes",
        "campaign",
        "code",
        "count",
        "date",
        "detail",
        "entries",
        "error",
        "error_type",
        "event",
        "event_id",
        "event_type",
        "exception",
        "failures",
        "group",
        "hold_id",
        "host",
        "job",
        "key_id",
        "lag",
        "letter_id",
        "level",
        "logger",
        "message_id",
        "method",
        "module",
        "offset",
        "outbox_id",
        "outcome",
        "partition",
        "partitions",
        "points",
        "port",
        "process",
        "programme",
        "reason",
        "receipt_id",
        "report",
        "revision",
        "route",
        "seconds",
        "service",
        "state",
        "status",
        "submission_id",
        "timestamp",
        "topic",
        "topics",
        "trace_id",
        "version",
        "wait_s",
    }
)
"""What may be logged. Add a field only if it can never hold something of a member."""

traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""W3C trace context of the work in hand; set by the HTTP middleware and the consumer loop."""

_identity: dict[str, str] = {}


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; also before ``configure`` nothing is logged in full."""
    logger = structlog.wrap_logger(None, processors=[*_processors(), _JSON], module=name)
    return cast("FilteringBoundLogger", logger)


def configure(service: str, process: str, level: str) -> None:
    """Send our logs and those of libraries to stderr as JSON; once per process."""
    _identity.update(service=service, process=process)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_processors(),
                _JSON,
            ],
        )
    )
    # Libraries log what they like, so only their warnings are let through.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _processors() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        _add_context,
        _shorten_exception,
        _withhold,
    ]


_JSON = structlog.processors.JSONRenderer(ensure_ascii=True)


def _add_context(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401  structlog's type
    event.update(_identity)
    if trace := traceparent.get():
        event["trace_id"] = trace[3:35]
    return event


def _shorten_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401  structlog's type
    """Turn ``exc_info`` into the frames and the first line of each error in the chain."""
    info: object = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(info, tuple):
        _, error, _ = cast("tuple[object, object, object]", info)
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["exception"] = summary(error)
    return event


def summary(error: BaseException) -> list[str]:
    """Return where an error and its causes were raised, without the values they quote."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < LONGEST_TRACE:
        lines.append(f"{type(current).__name__}: {first_line(str(current))}")
        frame = current.__traceback__
        frames: list[str] = []
        while frame is not None:
            code = frame.tb_frame.f_code
            frames.append(f"  {code.co_filename}:{frame.tb_lineno} {code.co_name}")
            frame = frame.tb_next
        lines += frames[-20:]
        if isinstance(current, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", current).exceptions
            current = inner[0] if inner else None
        else:
            current = current.__cause__ or current.__context__
    return lines


def first_line(text: str) -> str:
    """Return the first line of ``text``, also of a ``repr``, at most ``LONGEST_VALUE`` long."""
    return text.partition("\n")[0].partition("\\n")[0][:LONGEST_VALUE]


def _withhold(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401  structlog's type
    for name, value in event.items():
        if name.startswith("_"):
            continue  # the formatter's own, removed later
        if name not in FIELDS:
            event[name] = WITHHELD
        elif isinstance(value, str):
            event[name] = first_line(value) if name in {"error", "event"} else value[:LONGEST_VALUE]
    return event
