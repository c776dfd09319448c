"""What a span may say, and which queries make one."""

from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from shared import spans


class Kept(SpanExporter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def tracer(kept: Kept) -> Iterator[Tracer]:
    provider = TracerProvider(sampler=ParentBased(spans._Roots(1.0)))
    provider.add_span_processor(SimpleSpanProcessor(spans.Scrubbed(kept)))
    yield provider.get_tracer("test")
    provider.shutdown()


def test_neither_paths_nor_addresses_nor_texts_of_errors_leave(tracer: Tracer, kept: Kept) -> None:
    given = {"http.route": "/v1/members:lookup", "url.query": "phone=+4366012345"}
    with (
        pytest.raises(ValueError, match="ann"),
        tracer.start_as_current_span("GET", attributes=given | {"client.address": "192.0.2.7"}),
    ):
        raise ValueError("Key (email)=(ann@example.org) already exists.")
    (span,) = kept.spans
    assert dict(span.attributes or {}) == {"http.route": "/v1/members:lookup"}
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert not span.events


def test_a_query_makes_a_span_within_work_and_none_alone(tracer: Tracer, kept: Kept) -> None:
    with tracer.start_as_current_span("SELECT alone", kind=SpanKind.CLIENT):
        pass
    with (
        tracer.start_as_current_span("request", kind=SpanKind.SERVER),
        tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT),
    ):
        pass
    assert [span.name for span in kept.spans] == ["SELECT", "request"]


def test_links_are_the_distinct_sampled_causes_and_bounded() -> None:
    traces = [f"00-{n + 1:032x}-{n + 1:016x}-01" for n in range(200)]
    unsampled = f"00-{'a' * 32}-{'b' * 16}-00"
    causes = [None, "nonsense", unsampled, *traces, *traces]
    links = list(spans._links(causes))
    assert [link.context.trace_id for link in links] == list(range(1, 201))
