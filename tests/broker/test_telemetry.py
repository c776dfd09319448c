"""Traces, from real processes to a real receiver: a request and the batch that it became part of.

And nothing at all where no collector is named.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka import LocalKafka
from tests.broker.collector import Collector, collecting
from tests.broker.conftest import until
from tests.broker.fleet import Fleet, fleet

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
CARD = "9840001234"
PROCESSES = ("ingest-api", "ingest-relay", "loyalty-consumer")


def purchase(number: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    line = {"line_no": 1, "sku": "1", "category": "X", "quantity": "1", "unit_price_minor": 99}
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "receipt_no": number,
        "business_date": now.date().isoformat(),
        "occurred_at": now.isoformat(),
        "member": {"card": CARD},
        "currency": "USD",
        "lines": [line | {"amount_minor": 99}],
        "total_minor": 99,
    }


async def sell(running: Fleet, numbers: range, **headers: str) -> None:
    async with running.client("ingest", "terminal") as client:
        for number in numbers:
            body = purchase(f"{number:06d}")
            answer = await client.post("/v1/purchases", json=body, headers=headers)
            assert answer.status_code == 202, answer.text


@pytest.mark.timeout(180)
async def test_a_purchase_is_one_trace_and_the_batch_that_applies_it_links_to_it(
    make_database_url: Callable[[str], Awaitable[str]], kafka: LocalKafka, tmp_path: Path
) -> None:
    async with (
        collecting() as collector,
        fleet(
            make_database_url,
            kafka,
            tmp_path,
            "ingest",
            "loyalty",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="200",
        ) as running,
    ):
        await running.start_all(*PROCESSES)
        await sell(running, range(3), traceparent=f"00-{CALLER}-00f067aa0ba902b7-01")
        await until(lambda: _linked(collector, 3), deadline_s=60)
    requests = collector.named("ingest-api", "POST /v1/purchases")
    assert [span.trace_id.hex() for span in requests] == [CALLER] * 3
    causes = {span.span_id for span in requests}
    for process, name in (
        ("ingest-api", "commit purchases"),
        ("ingest-relay", "send purchases"),
        ("loyalty-consumer", "process purchases"),
    ):
        batches = collector.named(process, name)
        linked = {link.span_id for span in batches for link in span.links}
        assert linked == causes, name
        assert not any(span.parent_span_id for span in batches)
    _check_queries(collector)
    _check_nothing_personal(collector)


async def _linked(collector: Collector, wanted: int) -> bool:
    batches = collector.named("loyalty-consumer", "process purchases")
    return len({link.span_id for span in batches for link in span.links}) == wanted


def _check_queries(collector: Collector) -> None:
    """Every query belongs to a request or a batch, and says its statement."""
    ids = {span.span_id for _, span in collector.spans}
    queries = [span for _, span in collector.spans if _attribute(span, "db.statement")]
    assert {whose for whose, span in collector.spans if span in queries} >= {"loyalty-consumer"}
    assert all(span.parent_span_id in ids for span in queries)


def _attribute(span: Any, name: str) -> str:
    found = [one.value.string_value for one in span.attributes if one.key == name]
    return found[0] if found else ""


def _check_nothing_personal(collector: Collector) -> None:
    everything = "\n".join(str(span) for _, span in collector.spans)
    for trace in ("127.0.0.1", CARD, "httpx", "000001", "Bearer"):
        assert trace not in everything


@pytest.mark.timeout(180)
async def test_without_a_collector_nothing_is_kept_sent_or_imported(
    make_database_url: Callable[[str], Awaitable[str]], kafka: LocalKafka, tmp_path: Path
) -> None:
    async with (
        collecting() as collector,
        fleet(make_database_url, kafka, tmp_path, "ingest", "loyalty") as running,
    ):
        await running.start_all(*PROCESSES)
        await sell(running, range(3))
        async with running.database("ingest") as tx:
            headers = "SELECT count(headers), count(*) FROM outbox WHERE topic = 'purchases'"
            assert tuple((await tx.exec_driver_sql(headers)).one()) == (0, 3)
    assert collector.spans == []


def test_without_a_collector_neither_sdk_nor_exporter_is_imported() -> None:
    script = (
        "import sys; import services.ingest.app, services.loyalty.app, shared.processes as p\n"
        "from shared import telemetry as t; t.configure('ingest', 'api')\n"
        "assert not t.enabled() and t.traceparent() is None\n"
        "with t.batch('process', 'purchases', (1 / 0 for _ in 'x'), count=1): pass\n"
        "assert not {'opentelemetry.sdk', 'opentelemetry.exporter'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
