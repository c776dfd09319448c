"""OpenTelemetry traces over OTLP; off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

One request is one trace. What it causes elsewhere begins a trace of its own, because a batch has
many causes: the request's context travels with the outbox row, in the header ``traceparent`` of
the record, and the span of the batch that applies it links back to it.

While traces are off neither SDK nor exporter is imported, and ``traceparent`` and ``batch`` cost
one comparison.
"""

# ruff: noqa: PLC0415  imported when used: 60 ms and 15 MB that most installations do not need

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from fastapi import FastAPI

HEADER = "traceparent"
Operation = Literal["commit", "send", "process"]

_on = False
_NOTHING = nullcontext()


class TelemetrySettings(BaseSettings):
    """The standard variables; the exporter itself reads the other ``OTEL_…`` ones."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    sampled: float = Field(default=1.0, ge=0, le=1, validation_alias="OTEL_TRACES_SAMPLER_ARG")
    """Share of the traces that begin here; of others the caller has decided."""


def configure(service: str, process: str) -> None:
    """Send this process's traces to the collector, if one is named."""
    settings = TelemetrySettings()
    if not settings.endpoint:
        return
    from shared import spans

    spans.start(service, process, sampled=settings.sampled)
    global _on  # noqa: PLW0603  one per process, as OpenTelemetry's provider is
    _on = True


def enabled() -> bool:
    """Whether traces go anywhere."""
    return _on


def instrument(app: "FastAPI") -> None:
    """Trace the application's requests, if traces are on."""
    if _on:
        from shared import spans

        spans.instrument(app)


def traceparent() -> str | None:
    """Return the W3C context of the work in hand, to be kept with what it causes."""
    if not _on:
        return None
    from shared import spans

    return spans.traceparent()


def batch(
    operation: Operation, what: str, causes: Iterable[str | None], *, count: int
) -> AbstractContextManager[object]:
    """Return a span around ``count`` items of many requests, whose contexts are ``causes``.

    ``causes`` is not read while traces are off: give a generator.
    """
    if not _on:
        return _NOTHING
    from shared import spans

    return spans.batch(operation, what, causes, count=count)
