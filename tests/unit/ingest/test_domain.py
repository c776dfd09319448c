"""The rules of sales and returns."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import domain
from services.ingest.domain import LineAmount
from shared.errors import Refused

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def _sale(occurred_at: datetime, *, received_at: datetime = NOW) -> domain.Sale:
    key = domain.ReceiptKey("0042", "0042-03", occurred_at.date(), "1")
    return domain.Sale(
        receipt_id=key.receipt_id,
        event_id=uuid4(),
        key=key,
        terminal_seq=None,
        identifier=None,
        total_minor=0,
        occurred_at=occurred_at,
        received_at=received_at,
        facts=b"{}",
        body_sha256=b"",
    )


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("0", 0),
        ("1", 1000),
        ("1.1", 1100),
        ("1.12", 1120),
        ("1.120", 1120),
        ("1.1200000", 1120),
        ("0.001", 1),
        ("0.1", 100),  # 0.1 * 1000 in binary floats happens to be right, 1.001 * 1000 is not
        ("1.001", 1001),
        ("4.35", 4350),
        ("1000000", 1_000_000_000),
        ("1000000.000", 1_000_000_000),
        ("1000000.001", None),
        ("1000001", None),
        ("1.0001", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1_000", None),
        (" 1", None),
        ("1.", None),
        (".5", None),
        ("", None),
        ("NaN", None),
        ("Infinity", None),
        ("١", None),  # a digit to Python, not to us
    ],
)
def test_quantity_is_read_from_its_digits(text: str, milli: int | None) -> None:
    assert domain.quantity_milli(text) == milli


@given(st.integers(min_value=0, max_value=domain.QUANTITY_MILLI_MAX))
def test_every_quantity_survives_text_and_binary_float(milli: int) -> None:
    text = domain.as_quantity(milli)
    assert domain.quantity_milli(text) == milli
    assert domain.quantity_milli(repr(float(text))) == milli


@pytest.mark.parametrize(
    ("ago", "late", "suspect"),
    [
        (timedelta(0), False, False),
        (timedelta(hours=72), False, False),
        (timedelta(hours=72, seconds=1), True, False),
        (-timedelta(minutes=5), False, False),
        (-timedelta(minutes=5, seconds=1), False, True),
    ],
)
def test_flags_compare_the_tills_clock_with_ours(
    ago: timedelta, *, late: bool, suspect: bool
) -> None:
    sale = _sale(NOW - ago)
    assert (sale.late, sale.clock_suspect) == (late, suspect)


def test_a_return_has_another_id_than_a_sale_with_its_number() -> None:
    key = domain.ReceiptKey("0042", "0042-03", date(2026, 11, 22), "1")
    assert key.return_id != key.receipt_id


def test_hash_takes_times_as_instants() -> None:
    utc = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
    local = datetime.fromisoformat("2026-11-22T14:05:00+01:00")
    assert domain.canonical_hash(b"{}", occurred_at=utc) == domain.canonical_hash(
        b"{}", occurred_at=local
    )


@given(st.integers(min_value=0, max_value=4 * 10**15))
def test_hash_tells_neighbouring_microseconds_apart(microseconds: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    after = at + timedelta(microseconds=1)
    assert domain.canonical_hash(b"{}", occurred_at=at) != domain.canonical_hash(
        b"{}", occurred_at=after
    )


@pytest.mark.parametrize(
    ("recorded", "sent", "fields"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"l": [{"n": 1}, {"n": 2}]}, {"l": [{"n": 1}, {"n": 3}]}, ["l.1.n"]),
        ({"l": [1, 2]}, {"l": [1]}, ["l"]),
        ({"o": {"p": {"q": 1}}}, {"o": {"p": {"q": 2}}}, ["o.p.q"]),
        ({"a": None}, {"a": 0}, ["a"]),
    ],
)
def test_differing_names_the_innermost_fields(
    recorded: domain.Json, sent: domain.Json, fields: list[str]
) -> None:
    assert domain.differing(recorded, sent) == fields


@given(parts=st.permutations([1] * 10), amounts=st.permutations([7, 11, 3, 0, 5, 9, 2, 4, 6, 8]))
def test_ten_returns_of_one_leave_what_one_return_of_ten_leaves(
    parts: list[int], amounts: list[int]
) -> None:
    sold = (LineAmount(1, 12_000, 100), LineAmount(2, 1_000, 50))
    net = sold
    for quantity, amount in zip(parts, amounts, strict=True):
        net = domain.take_back(net, [LineAmount(1, quantity * 1000, amount)])
    assert net == domain.take_back(sold, [LineAmount(1, 10_000, sum(amounts))])


@pytest.mark.parametrize(
    "returned",
    [LineAmount(1, 1_001, 50), LineAmount(1, 1_000, 101), LineAmount(3, 0, 0)],
    ids=["more goods", "more money", "unknown line"],
)
def test_over_return_is_refused_with_what_is_left(returned: LineAmount) -> None:
    sold = (LineAmount(1, 1_000, 100), LineAmount(2, 1_500, 50))
    with pytest.raises(Refused) as refusal:
        domain.take_back(sold, [returned])
    assert refusal.value.status == 409
    assert refusal.value.extra["left"] == [
        {"line_no": 1, "quantity": "1", "amount_minor": 100},
        {"line_no": 2, "quantity": "1.5", "amount_minor": 50},
    ]


def test_free_goods_come_back_for_nothing() -> None:
    assert domain.take_back([LineAmount(1, 0, 0)], [LineAmount(1, 0, 0)]) == (LineAmount(1, 0, 0),)


def test_claim_token_is_the_same_again_and_differs_by_receipt_and_key() -> None:
    receipt_id = uuid4()
    token = domain.claim_token(b"k" * 32, receipt_id)
    assert token == domain.claim_token(b"k" * 32, receipt_id)
    assert token != domain.claim_token(b"k" * 32, uuid4())
    assert token != domain.claim_token(b"q" * 32, receipt_id)
    assert len(token) == 24
