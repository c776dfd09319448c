"""What a shop brings along when it moves in: stores, products, receipts, members, lots.

Members and lots are loyalty's, personal data with them, so their files are handed on as a stream
and never kept here.
"""

from collections.abc import Mapping, Sequence

from fastapi import Request, Response

from services.ingest.api import answers, bodies, catalogue, fields
from services.ingest.context import IngestContext
from services.ingest.domain import Outcome, Sale
from services.ingest.handlers import catalogue as catalogue_handlers
from services.ingest.store import catalogue as catalogue_store
from shared import imports
from shared.db import Tx
from shared.errors import Malformed
from shared.http import get_context
from shared.imports.kinds import Cells, Kind, values

LOYALTYS = ("members", "lots")
IDENTIFIERS = ("card", "phone", "email", "app_id", "member_id")
KEY = ("store_id", "terminal_id", "receipt_no", "business_date")
HEAD = (*KEY, "occurred_at", "sales_channel", "currency", "total_minor")
LINE = (
    "line_no",
    "sku",
    "category",
    "description",
    "quantity",
    "unit_price_minor",
    "discount_minor",
    "amount_minor",
)
WHOLE = ("total_minor", "line_no", "unit_price_minor", "discount_minor", "amount_minor")


class StoreRow(catalogue.StoreBody):
    """A shop, with its id."""

    store_id: fields.Code


async def _put_stores(
    tx: Tx, rows: Sequence[StoreRow], context: IngestContext
) -> list[imports.Outcome]:
    at = context.clock.now()
    outcomes: list[imports.Outcome] = []
    for row in rows:  # a shop has few stores
        state = row.to_state(row.store_id)
        changed = await catalogue_handlers.put_store(tx, state, country=row.country, at=at)
        outcomes.append("applied" if changed else "unchanged")
    return outcomes


async def _put_products(
    tx: Tx, rows: Sequence[catalogue.ProductBody], context: IngestContext
) -> list[imports.Outcome]:
    # Of several rows about one article the last counts.
    states = {row.sku: row.to_state() for row in rows}
    at = context.clock.now()
    changed = await catalogue_handlers.put_products(tx, list(states.values()), at=at)
    return ["applied" if row.sku in changed else "unchanged" for row in rows]


async def _record_receipts(
    tx: Tx, rows: Sequence[bodies.Purchase], context: IngestContext
) -> list[imports.Outcome]:
    """Record receipts as history: by the same path as a till's, and marked as imported."""
    outcomes: dict[int, imports.Outcome] = {}
    sales: dict[int, Sale] = {}
    regions: dict[str, str | None] = {}
    for index, row in enumerate(rows):
        if row.store_id not in regions:
            regions[row.store_id] = await catalogue_store.load_country(tx, row.store_id)
        try:
            sales[index] = row.to_sale(
                received_at=context.clock.now(),
                identity_key=context.identity_key,
                region=regions[row.store_id],
                imported=True,
            )
        except Malformed as error:
            outcomes[index] = error
    recorded = await context.record(tx, list(sales.values())) if sales else []
    outcomes |= {index: _receipt_outcome(one) for index, one in zip(sales, recorded, strict=True)}
    return [outcomes[index] for index in range(len(rows))]


def _receipt_outcome(outcome: Outcome) -> imports.Outcome:
    if outcome.kind == "conflict":
        return answers.conflict(outcome, what="purchase")
    return "applied" if outcome.kind == "accepted" else "unchanged"


def _receipt(records: Sequence[Cells]) -> Mapping[str, object]:
    """Make a purchase of the CSV lines of one receipt, which all repeat what stands above them."""
    first = records[0]
    above = (*HEAD, *IDENTIFIERS)
    differing = [n for n in above if any(one.get(n) != first.get(n) for one in records)]
    if differing:
        detail = "The lines of one receipt must say the same of it."
        errors = [{"field": name, "message": "differs between the lines"} for name in differing]
        raise Malformed("import_format", detail, errors=errors)
    cells = [values(one, WHOLE) for one in records]
    head = {name: cells[0][name] for name in HEAD if name in cells[0]}
    lines = [
        {"line_no": place} | {name: one[name] for name in LINE if name in one}
        for place, one in enumerate(cells, 1)
    ]
    member = {name: first[name] for name in IDENTIFIERS if name in first}
    return head | {"lines": lines, "member": member or None}


STORES = Kind(
    name="stores",
    row=StoreRow,
    columns=("store_id", "name", "time_zone", "address", "country"),
    required=("store_id", "name", "time_zone"),
    body=lambda records: values(records[0]),
    apply=_put_stores,
)
PRODUCTS = Kind(
    name="products",
    row=catalogue.ProductBody,
    columns=("sku", "name", "category", "brand", "cost_minor", "currency"),
    required=("sku", "name"),
    body=lambda records: values(records[0], ("cost_minor",)),
    apply=_put_products,
)
RECEIPTS = Kind(
    name="receipts",
    row=bodies.Purchase,
    columns=(*HEAD, *IDENTIFIERS, *LINE),
    required=(*KEY, "occurred_at", "currency", "total_minor", "sku", "quantity", "amount_minor"),
    body=_receipt,
    apply=_record_receipts,
    group=KEY,
)
KINDS = (STORES, PRODUCTS, RECEIPTS)


async def _ask_loyalty(request: Request) -> Response:
    context = get_context(request)
    assert isinstance(context, IngestContext)  # app.make_context makes it
    return await context.loyalty.forward(request)


router = imports.routes(KINDS, elsewhere=_ask_loyalty, others=LOYALTYS)
STREAMED = {
    imports.path(name): imports.BYTES_MAX for name in (*(kind.name for kind in KINDS), *LOYALTYS)
}
