"""Imports at ingest: stores, products and a year of receipts, over HTTP and by the job."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.api.imports import KINDS
from services.ingest.context import IngestContext
from services.ingest.store import tables
from shared.clock import FixedClock
from shared.db.plumbing import outbox
from shared.imports import working
from shared.imports.tables import import_problem, import_row, import_run
from tests.service.ingest.conftest import ADMIN, bearer, enrol, enrolled, published, purchase_body
from tests.service.ingest.importing import (
    CSV,
    NDJSON,
    apply,
    count,
    counts,
    imported,
    problems,
    receipts_ndjson,
    report,
    send,
)

PRODUCTS = "sku,name,category,cost_minor,currency\n1,Bananas,FRUIT,40,USD\n2,Milk,DAIRY,,\n"


async def test_products_are_registered_and_announced(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    done = await imported(client, context, "products", PRODUCTS)

    assert (done["state"], counts(done)) == ("done", (2, 2, 0, 2, 0, 0))
    assert [key for key, _ in await published(context.db)] == ["sku:1", "sku:2"]


async def test_a_dry_run_writes_nothing_but_its_report(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    for kind, text, media_type in (
        ("products", PRODUCTS, CSV),
        ("receipts", receipts_ndjson([1, 2]), NDJSON),
        ("stores", "store_id,name,time_zone\n0042,Main Street,Europe/Berlin\n", CSV),
    ):
        done = await imported(client, context, kind, text, media_type=media_type, dry_run=True)
        assert (done["state"], done["rows_applied"], done["rows_left"]) == (
            "done",
            done["rows_read"],
            0,
        )

    for table in (tables.product, tables.receipt, tables.store, outbox, import_row):
        assert await count(context.db, table) == 0, table.name


async def test_a_dry_run_finds_what_the_import_would(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    await imported(client, context, "receipts", receipts_ndjson([1]), media_type=NDJSON)
    contradicting = receipts_ndjson([1, 2], sales_channel="app")

    rehearsed = await send(client, "receipts", contradicting, media_type=NDJSON, dry_run=True)
    await apply(context)
    performed = await send(client, "receipts", contradicting, media_type=NDJSON)
    await apply(context)

    found = [(1, "sales_channel", "purchase_conflict")]
    assert await problems(client, rehearsed) == await problems(client, performed) == found
    told = [counts(await report(client, one)) for one in (rehearsed, performed)]
    assert told == [(2, 1, 1, 1, 0, 0)] * 2


async def test_the_same_file_again_changes_nothing(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    text = receipts_ndjson(range(1_200))
    first = await imported(client, context, "receipts", text, media_type=NDJSON)
    before = await count(context.db, outbox)

    again = await imported(client, context, "receipts", text, media_type=NDJSON)

    assert counts(first) == (1_200, 1_200, 0, 1_200, 0, 0)
    assert counts(again) == (1_200, 1_200, 0, 0, 1_200, 0)
    assert await count(context.db, outbox) == before == 1_200


async def test_bad_rows_are_named_by_line_and_field_and_the_others_applied(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    text = (
        "sku,name,cost_minor,currency\n1,Good,1,USD\n,No sku,1,USD\n3,Bad,1.5,USD\n4,X,1,ZZZ\n5\n"
    )

    begun = await send(client, "products", text)
    await apply(context)

    assert await problems(client, begun) == [
        (3, "sku", "invalid_request"),
        (4, "cost_minor", "invalid_request"),
        (5, "currency", "invalid_request"),
        (6, None, "import_format"),
    ]
    assert counts(await report(client, begun)) == (5, 1, 4, 1, 0, 0)
    told = await client.get(begun["problems_url"], params={"format": "csv"}, headers=bearer(ADMIN))
    assert told.headers["content-type"].startswith("text/csv")
    assert told.text.splitlines()[:2] == [
        "row,field,code,message",
        "3,sku,invalid_request,Field required",
    ]


async def test_problems_come_in_pages(client: httpx.AsyncClient, context: IngestContext) -> None:
    begun = await send(client, "products", "sku,name\n" + ",x\n" * 5)
    rows: list[int] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await client.get(begun["problems_url"], params=query, headers=bearer(ADMIN))
        rows += [one["row"] for one in page.json()["data"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break

    assert rows == [2, 3, 4, 5, 6]


RECEIPT_COLUMNS = (
    "store_id,terminal_id,receipt_no,business_date,occurred_at,card,currency,total_minor,"
    "sku,quantity,amount_minor\n"
)


async def test_lines_of_a_csv_file_become_the_receipt_that_a_till_would_have_sent(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    head = "0042,0042-03,000123,2025-12-01,2025-12-01T10:00:00Z,9840001234,USD,300"
    text = f"{RECEIPT_COLUMNS}{head},a,1.12,100\n{head},b,2,200\n"
    lines = [
        {"line_no": 1, "sku": "a", "quantity": "1.12", "amount_minor": 100},
        {"line_no": 2, "sku": "b", "quantity": "2", "amount_minor": 200},
    ]
    body = purchase_body(
        "000123", business_date="2025-12-01", occurred_at="2025-12-01T11:00:00+01:00"
    ) | {"lines": lines, "total_minor": 300}

    done = await imported(client, context, "receipts", text)
    live = await client.post("/v1/purchases", json=body)

    assert counts(done) == (1, 1, 0, 1, 0, 0)
    assert (live.status_code, live.json()["duplicate"]) == (202, True)


async def test_lines_of_a_receipt_that_contradict_each_other_are_refused_as_one(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    head = "0042,0042-03,000123,2025-12-01,2025-12-01T10:00:00Z,{},USD,300"
    text = f"{RECEIPT_COLUMNS}{head.format(1)},a,1,100\n{head.format(2)},b,2,200\n"

    begun = await send(client, "receipts", text)

    assert await problems(client, begun) == [(2, "card", "import_format")]


async def test_history_is_marked_and_never_late_and_a_live_sale_is_not_marked(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    await imported(client, context, "receipts", receipts_ndjson([1]), media_type=NDJSON)
    await client.post(
        "/v1/purchases", json=purchase_body("000002", occurred_at="2026-11-18T10:00:00Z")
    )

    (_, history), (_, live) = await published(context.db)

    assert (history.data.imported, history.data.late) == (True, False)
    assert (live.data.imported, live.data.late) == (False, True)


async def test_history_goes_to_its_member_and_stays_marked_when_they_are_known_later(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    await imported(client, context, "receipts", receipts_ndjson([1]), media_type=NDJSON)

    await enrol(context, member := enrolled("9840001234"))

    *_, (_, moved) = await published(context.db)
    assert moved.type == "purchase.attributed.v1"
    assert (moved.data.member_id, moved.data.imported) == (member.data.member_id, True)


async def test_a_phone_number_is_read_in_the_country_of_its_store(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    stores = "store_id,name,time_zone,country\n0042,Main Street,Europe/Berlin,DE\n"
    await imported(client, context, "stores", stores)
    there = receipts_ndjson([1], member={"phone": "030 123456"})
    nowhere = receipts_ndjson([2], member={"phone": "030 123456"}, store_id="0043")

    begun = await send(client, "receipts", there + nowhere, media_type=NDJSON)
    await apply(context)

    assert await problems(client, begun) == [(2, "member.phone", "identifier_malformed")]


async def test_a_cancelled_import_stops_where_it_is_and_its_rows_are_forgotten(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    begun = await send(client, "receipts", receipts_ndjson(range(20)), media_type=NDJSON)
    cancel = f"/v1/imports/{begun['import_id']}:cancel"

    cancelled = await client.post(cancel, headers=bearer(ADMIN))
    again = await client.post(cancel, headers=bearer(ADMIN))
    await working.job(lambda: KINDS).run(context)

    assert cancelled.json()["state"] == "cancelled"
    assert again.json() == cancelled.json()
    assert await count(context.db, tables.receipt) == await count(context.db, import_row) == 0


async def test_a_file_that_can_not_be_read_to_its_end_applies_nothing(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    rows = "".join(f"{number},x\n" for number in range(1_500))

    answer = await client.post(
        "/v1/imports/products",
        headers=bearer(ADMIN) | {"Content-Type": CSV},
        content=f'sku,name\n{rows}x,"never closed\n'.encode(),
    )
    await working.job(lambda: KINDS).run(context)

    assert (answer.status_code, answer.json()["code"]) == (422, "import_format")
    assert await count(context.db, tables.product) == await count(context.db, import_row) == 0


async def test_an_upload_whose_process_died_is_given_up(
    client: httpx.AsyncClient, context: IngestContext, clock: FixedClock
) -> None:
    begun = await send(client, "products", PRODUCTS)
    async with context.db.transaction() as tx:
        await tx.execute(import_run.update().values(state="receiving"))
    clock.advance(timedelta(hours=1))

    await working.job(lambda: KINDS).run(context)

    assert (await report(client, begun))["state"] == "incomplete"
    assert await count(context.db, tables.product) == await count(context.db, import_row) == 0


async def test_a_report_is_forgotten_after_its_time(
    client: httpx.AsyncClient, context: IngestContext, clock: FixedClock
) -> None:
    begun = await imported(client, context, "products", "sku,name\n,x\n")
    clock.advance(working.KEPT + timedelta(days=1))

    await working.job(lambda: KINDS).run(context)

    assert await count(context.db, import_run) == await count(context.db, import_problem) == 0
    assert begun["problems"] == 1


async def test_who_is_no_admin_imports_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/v1/imports/products", headers={"Content-Type": CSV}, content=PRODUCTS.encode()
    )

    assert answer.status_code == 403


@pytest.mark.parametrize("call", ["members", "lots"])
async def test_what_is_loyaltys_is_refused_for_now_where_loyalty_is_away(
    client: httpx.AsyncClient, context: IngestContext, call: str
) -> None:
    answer = await client.post(
        f"/v1/imports/{call}",
        headers=bearer(ADMIN) | {"Content-Type": CSV},
        content=b"external_id\nA1\n",
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "peer_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert await count(context.db, import_run) == 0
