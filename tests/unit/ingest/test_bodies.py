"""What a till may say, and what it may not."""

from datetime import UTC, datetime
from typing import Any

import pydantic_core
import pytest
from pydantic import ValidationError

from services.ingest.api import bodies
from services.ingest.handlers import revisions
from shared.contracts.purchases import PurchaseRecorded, Receipt
from shared.contracts.topics import TOPICS

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
KEY = b"k" * 32


def _line(**changes: Any) -> dict[str, Any]:
    return {"line_no": 1, "sku": "1082185", "quantity": "1.12", "amount_minor": 111} | changes


def _body(**changes: Any) -> dict[str, Any]:
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "receipt_no": "000123",
        "business_date": "2026-11-22",
        "occurred_at": "2026-11-22T14:05:00+01:00",
        "currency": "USD",
        "lines": [_line()],
        "total_minor": 111,
    } | changes


def _parse(body: dict[str, Any]) -> bodies.Purchase:
    return bodies.Purchase.model_validate_json(pydantic_core.to_json(body))


def _hash(body: dict[str, Any]) -> bytes:
    return _parse(body).to_sale(received_at=NOW, identity_key=KEY, region=None).body_sha256


def _two(*, first: int = 1) -> list[dict[str, Any]]:
    return [_line(line_no=first), _line(line_no=3 - first)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, dict(reversed(_body().items()))),
        ({}, {"lines": [_line(quantity=1.12)]}),
        ({}, {"lines": [_line(quantity="1.120")]}),
        ({}, {"occurred_at": "2026-11-22T13:05:00Z"}),
        ({}, {"member": None, "tenders": [], "sales_channel": "pos", "hold_ids": []}),
        ({}, {"lines": [_line(unit_price_minor=0, category=None)]}),
        (
            {"lines": _two(), "total_minor": 222},
            {"lines": _two(first=2), "total_minor": 222},
        ),
        ({"member": {"email": "Ann@Example.org"}}, {"member": {"email": " ann@example.org"}}),
        ({"member": {"phone": "+1 202 555 0143"}}, {"member": {"phone": "+12025550143"}}),
    ],
)
def test_bodies_that_mean_the_same_have_one_hash(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert _hash(_body(**one)) == _hash(_body(**other))


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "EUR"},
        {"occurred_at": "2026-11-22T14:05:00.000001+01:00"},
        {"terminal_seq": 0},
        {"member": {"card": "1"}},
        {"sales_channel": "app"},
        {"tenders": [{"kind": "cash", "amount_minor": 111}]},
        {"lines": [_line(quantity="1.121")]},
        {"lines": [_line(sku="1082186")]},
        {"lines": [_line(discount_minor=1)]},
    ],
)
def test_bodies_that_differ_have_other_hashes(changes: dict[str, Any]) -> None:
    assert _hash(_body()) != _hash(_body(**changes))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"store_id": ""}, "store_id"),
        ({"store_id": "a\0b"}, "store_id"),
        ({"store_id": "x" * 65}, "store_id"),
        ({"receipt_no": 123}, "receipt_no"),
        ({"business_date": "22.11.2026"}, "business_date"),
        ({"business_date": 0}, "business_date"),
        ({"business_date": "0001-01-01"}, "business_date"),
        ({"occurred_at": "2026-11-22T14:05:00"}, "occurred_at"),
        ({"occurred_at": 1_700_000_000}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"terminal_seq": -1}, "terminal_seq"),
        ({"terminal_seq": 2**63}, "terminal_seq"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "ABC"}, "currency"),
        ({"sales_channel": "fax"}, "sales_channel"),
        ({"member": {}}, "member"),
        ({"member": {"card": "1", "phone": "+1"}}, "member"),
        ({"member": {"loyalty_no": "1"}}, "member.loyalty_no"),
        ({"lines": []}, "lines"),
        ({"lines": [_line(line_no=n) for n in range(1, 502)]}, "lines"),
        ({"lines": [_line(), _line()], "total_minor": 222}, "lines"),
        ({"lines": [_line(line_no=0)]}, "lines.0.line_no"),
        ({"lines": [_line(quantity="1.1234")]}, "lines.0.quantity"),
        ({"lines": [_line(quantity=1.1234)]}, "lines.0.quantity"),
        ({"lines": [_line(quantity=-1)]}, "lines.0.quantity"),
        ({"lines": [_line(quantity=True)]}, "lines.0.quantity"),
        ({"lines": [_line(quantity=None)]}, "lines.0.quantity"),
        ({"lines": [_line(amount_minor=-1)]}, "lines.0.amount_minor"),
        ({"lines": [_line(amount_minor=1.5)]}, "lines.0.amount_minor"),
        ({"lines": [_line(amount_minor="111")]}, "lines.0.amount_minor"),
        ({"lines": [_line(amount_minor=2**53)], "total_minor": 2**53}, "lines.0.amount_minor"),
        ({"lines": [_line(quantity_milli=1120)]}, "lines.0.quantity_milli"),
        ({"lines": [_line(description="a\0")]}, "lines.0.description"),
        ({"lines": [_line(colour="red")]}, "lines.0.colour"),
        ({"total_minor": 112}, "total_minor"),
        ({"tenders": [{"kind": "cash", "amount_minor": 110}]}, "total_minor"),
        ({"hold_ids": ["x"]}, "hold_ids.0"),
        ({"extra": 1}, "extra"),
    ],
)
def test_bad_field_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        _parse(_body(**changes))
    assert where in {".".join(map(str, error["loc"])) for error in refusal.value.errors()}


def test_lone_surrogate_is_refused() -> None:
    raw = pydantic_core.to_json(_body()).replace(b"000123", b"\\ud800")
    with pytest.raises(ValidationError):
        bodies.Purchase.model_validate_json(raw)


def test_total_that_does_not_add_up_names_the_difference() -> None:
    with pytest.raises(ValidationError, match=r"lines sum to 111, total_minor is 100: .* 11"):
        _parse(_body(total_minor=100))


def test_five_hundred_lines_and_free_goods_are_fine() -> None:
    free = [_line(line_no=n, quantity=0, amount_minor=0) for n in range(1, 501)]
    assert len(_parse(_body(lines=free, total_minor=0)).lines) == 500


@pytest.mark.parametrize("member", [None, {"card": "9840001234"}])
def test_event_made_by_hand_is_what_the_contract_says(member: dict[str, str] | None) -> None:
    body = _body(
        member=member,
        fulfilment="pending",
        terminal_seq=5,
        hold_ids=["018f0000-0000-7000-8000-000000000001"],
        tenders=[{"kind": "cash", "amount_minor": 111}],
        lines=[_line(description='quote " and \\ and ü', category="BANANAS", discount_minor=9)],
    )
    sale = _parse(body).to_sale(received_at=NOW, identity_key=KEY, region=None)
    state, outgoing = revisions.record(sale, None)
    assert outgoing.value is not None
    event = TOPICS["purchases"].parse(outgoing.value)
    assert isinstance(event, PurchaseRecorded)
    assert event.id == sale.event_id == outgoing.event_id
    assert event.data == Receipt.model_validate_json(state)
    assert event == PurchaseRecorded.model_validate_json(event.model_dump_json())
    sent = pydantic_core.from_json(outgoing.value)
    written = pydantic_core.from_json(event.model_dump_json())
    assert {**sent, "time": 0, "data": 0} == {**written, "time": 0, "data": 0}
    assert sent["data"].keys() == written["data"].keys()


def test_a_field_that_says_the_usual_leaves_the_hash_alone() -> None:
    told = _body(fulfilment="complete")
    assert _hash(_body()) == _hash(told) != _hash(_body(fulfilment="pending"))
    sale = _parse(told).to_sale(received_at=NOW, identity_key=KEY, region=None)
    assert b"fulfilment" not in sale.facts
