"""The part of ``shared.telemetry`` that needs OpenTelemetry; imported only while traces are on.

Spans say routes, statements with placeholders, topics and counts. The libraries would add paths,
queries, addresses and the texts of errors, which name people: ``Scrubbed`` takes them out.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import telemetry

LINKS_MAX = 128
"""Most causes that one batch names; also OpenTelemetry's own limit."""
FLUSH_MS = 5_000
"""For the last spans to leave at the end of a process, collector or not."""

ATTRIBUTES = frozenset(
    {
        "db.name",
        "db.statement",
        "db.system",
        "http.method",
        "http.route",
        "http.status_code",
        "messaging.batch.message_count",
        "messaging.destination.name",
        "messaging.operation.type",
        "messaging.system",
    }
)
"""What a span may say. Add one only if it can never hold something of a member."""

_KINDS: Mapping[telemetry.Operation, SpanKind] = {
    "send": SpanKind.PRODUCER,
    "process": SpanKind.CONSUMER,
}
_W3C = TraceContextTextMapPropagator()


def start(service: str, process: str, *, sampled: float) -> None:
    """Begin to export this process's traces to the collector that the environment names."""
    resource = Resource.create(
        {"service.namespace": "perennial", "service.name": service, "perennial.process": process}
    )
    provider = TracerProvider(resource=resource, sampler=ParentBased(_Roots(sampled)))
    provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    # The SQLAlchemy instrumentation refuses SQLAlchemy 2.1 silently; asyncpg's sees every query.
    AsyncPGInstrumentor(capture_parameters=False).instrument()


def instrument(app: FastAPI) -> None:
    """Make a span of every request but the operators'."""
    FastAPIInstrumentor.instrument_app(
        app,
        excluded_urls="/health/.*,/metrics",
        exclude_spans=["receive", "send"],
        server_request_hook=_continue,
    )


def traceparent() -> str | None:
    """Return the context of the current span in W3C's form."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get(telemetry.HEADER)


@contextmanager
def batch(
    operation: telemetry.Operation, what: str, causes: Iterable[str | None], *, count: int
) -> Generator[None]:
    """Make a root span that links to its causes: of many none is the parent."""
    with trace.get_tracer("perennial").start_as_current_span(
        f"{operation} {what}",
        context=Context(),
        kind=_KINDS.get(operation, SpanKind.INTERNAL),
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.type": operation,
            "messaging.destination.name": what,
            "messaging.batch.message_count": count,
        },
        links=list(islice(_links(causes), LINKS_MAX)),
    ):
        yield


def _links(causes: Iterable[str | None]) -> Iterator[Link]:
    for cause in dict.fromkeys(causes):
        carrier = {telemetry.HEADER: cause} if cause else {}
        found = trace.get_current_span(_W3C.extract(carrier, Context())).get_span_context()
        if found.is_valid and found.trace_flags.sampled:
            yield Link(found)


def _continue(_span: Span, scope: dict[str, Any]) -> None:
    """Show our own middleware this span as the caller, so that logs carry the trace's id."""
    mine = traceparent()
    if mine is not None:
        name = telemetry.HEADER.encode()
        others = [header for header in scope["headers"] if header[0] != name]
        scope["headers"] = [*others, (name, mine.encode())]


class _Roots(Sampler):
    """Takes a share of what begins here, and no query that stands alone.

    A relay asks for new rows many times a second; alone that says nothing and would fill the
    collector. Queries of a request or of a batch have a parent and never come here.
    """

    def __init__(self, sampled: float) -> None:
        self._share = TraceIdRatioBased(sampled)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        *others: Any,  # noqa: ANN401  as the library's
        **named: Any,  # noqa: ANN401  as the library's
    ) -> SamplingResult:
        """Decide on one span without a parent."""
        if kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return self._share.should_sample(parent_context, trace_id, name, kind, *others, **named)

    def get_description(self) -> str:
        """Name the sampler."""
        return f"NoLoneQueries({self._share.get_description()})"


class Scrubbed(SpanExporter):
    """Exports spans with the attributes of the list alone, and without the texts of errors."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Hand what is left to ``exporter``."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies; the originals stay as they are."""
        return self._exporter.export([_scrubbed(span) for span in spans])

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = FLUSH_MS) -> bool:
        """Wait for what is under way."""
        return self._exporter.force_flush(timeout_millis)


def _scrubbed(span: ReadableSpan) -> ReadableSpan:
    given = span.attributes or {}
    failed = span.status.status_code is StatusCode.ERROR
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in given.items() if name in ATTRIBUTES},
        # No events: they are exceptions, and Postgres quotes the row in its message.
        links=span.links,
        kind=span.kind,
        status=Status(StatusCode.ERROR) if failed else span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
