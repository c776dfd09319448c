"""What the shops do in the demo: the baskets in time order, with the mishaps of real tills.

Everything is drawn from the receipt's own number, so that every run, large or small, sends the
same receipts with the same fate.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID

from demo import data
from shared import ids

CURRENCY = "USD"
DUPLICATE_SHARE = 0.03
LOST_ANSWER_SHARE = 0.02
RETURN_SHARE = 0.015
OFFLINE_SHARE = 0.05
"""Of the weeks of each till."""
LATE_ENROLMENT_SHARE = 0.04
"""Of the households: they get their card's account after their second visit."""
RETURN_AFTER = timedelta(days=2, hours=3)

Fate = Literal["normal", "answer_lost", "sent_twice"]


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that a till tells, and the natural key that makes it harmless twice."""

    at: datetime
    store_id: str
    path: Literal["/v1/purchases", "/v1/returns"]
    key: str
    receipt_id: UUID
    """The sale's, also for a return."""
    body: dict[str, Any]
    fate: Fate


@dataclass(frozen=True, slots=True)
class Upload:
    """A till that was offline for a week sends what it kept, as one file."""

    at: datetime
    store_id: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A household joins after its second visit; its receipts so far wait for it."""

    at: datetime
    household: int


Step = Call | Upload | Enrolment


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in time order; ``members`` join before the first one."""

    steps: tuple[Step, ...]
    members: tuple[int, ...]
    receipts: int
    returns: int


def make(sample: data.Sample) -> Plan:
    """Return the plan for a sample."""
    late = _late_enrolments(sample)
    online: list[Step] = [Enrolment(at, household) for household, at in late.items()]
    offline: dict[tuple[str, date], list[Call]] = {}
    returns = 0
    for basket in sample.baskets:
        sale = _sale(basket)
        week = (basket.store_id, _monday(basket.occurred_at))
        if _draw("offline", *week).random() < OFFLINE_SHARE:
            offline.setdefault(week, []).append(sale)
        else:
            online.append(sale)
        for taken_back in _returns(basket, sample.last_day):
            online.append(taken_back)
            returns += 1
    uploads = [_upload(week, calls) for week, calls in offline.items()]
    return Plan(
        steps=tuple(sorted([*online, *uploads], key=lambda step: step.at)),
        members=tuple(one for one in sample.households if one not in late),
        receipts=len(sample.baskets),
        returns=returns,
    )


def calls(made: Plan) -> Iterator[Call]:
    """Return every sale and return of a plan, those of uploads too."""
    for step in made.steps:
        if isinstance(step, Call):
            yield step
        elif isinstance(step, Upload):
            yield from step.calls


def terminal_id(store_id: str) -> str:
    """Return the id of a shop's one till."""
    return f"{store_id}-01"


def card(household: int) -> str:
    """Return the number on a household's card; made up."""
    return f"984000{household:06d}"


def quantity(milli: int) -> str:
    """Return thousandths as the decimal number that a till prints."""
    whole, rest = divmod(milli, 1_000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def lines(basket: data.Basket) -> list[dict[str, Any]]:
    """Return a basket's lines as the API takes them."""
    return [
        {
            "line_no": line.line_no,
            "sku": line.sku,
            "category": line.category,
            "description": line.description,
            "quantity": quantity(line.quantity_milli),
            "unit_price_minor": line.unit_price_minor,
            "discount_minor": line.discount_minor,
            "amount_minor": line.amount_minor,
        }
        for line in basket.lines
    ]


def _sale(basket: data.Basket) -> Call:
    day, terminal = basket.occurred_at.date(), terminal_id(basket.store_id)
    return Call(
        at=basket.occurred_at,
        store_id=basket.store_id,
        path="/v1/purchases",
        key=f"sale {basket.store_id} {terminal} {day} {basket.receipt_no}",
        receipt_id=ids.receipt_id(basket.store_id, terminal, day, basket.receipt_no),
        body={
            "store_id": basket.store_id,
            "terminal_id": terminal,
            "receipt_no": basket.receipt_no,
            "business_date": day.isoformat(),
            "occurred_at": basket.occurred_at.isoformat(),
            "sales_channel": "pos",
            "member": {"card": card(basket.household)},
            "currency": CURRENCY,
            "lines": lines(basket),
            "tenders": _tenders(basket),
            "total_minor": basket.total_minor,
        },
        fate=_fate(basket.receipt_no),
    )


def _tenders(basket: data.Basket) -> list[dict[str, Any]]:
    paid = {
        "coupon": basket.coupon_minor,
        "card": basket.total_minor - basket.coupon_minor,
    }
    return [{"kind": kind, "amount_minor": minor} for kind, minor in paid.items() if minor]


def _fate(receipt_no: str) -> Fate:
    drawn = _draw("fate", receipt_no).random()
    if drawn < DUPLICATE_SHARE:
        return "sent_twice"
    return "answer_lost" if drawn < DUPLICATE_SHARE + LOST_ANSWER_SHARE else "normal"


def _returns(basket: data.Basket, last_day: date) -> Iterator[Call]:
    """Take back one whole line of one receipt in a hundred. The data set has no returns."""
    draw = _draw("return", basket.receipt_no)
    at = basket.occurred_at + RETURN_AFTER
    worth = [line for line in basket.lines if line.amount_minor > 0 and line.quantity_milli > 0]
    if draw.random() >= RETURN_SHARE or not worth or at.date() > last_day:
        return
    line = draw.choice(worth)
    terminal, sold = terminal_id(basket.store_id), basket.occurred_at.date()
    returned_no = f"R{basket.receipt_no}"
    original = {
        "store_id": basket.store_id,
        "terminal_id": terminal,
        "receipt_no": basket.receipt_no,
        "business_date": sold.isoformat(),
    }
    back = {
        "line_no": line.line_no,
        "quantity": quantity(line.quantity_milli),
        "amount_minor": line.amount_minor,
    }
    yield Call(
        at=at,
        store_id=basket.store_id,
        path="/v1/returns",
        key=f"return {basket.store_id} {terminal} {at.date()} {returned_no}",
        receipt_id=ids.receipt_id(basket.store_id, terminal, sold, basket.receipt_no),
        body={
            "store_id": basket.store_id,
            "terminal_id": terminal,
            "receipt_no": returned_no,
            "business_date": at.date().isoformat(),
            "occurred_at": at.isoformat(),
            "original": original,
            "lines": [back],
            "currency": CURRENCY,
            "total_minor": line.amount_minor,
        },
        fate=_fate(returned_no),
    )


def _late_enrolments(sample: data.Sample) -> dict[int, datetime]:
    """Return who joins late, and when: an hour after the second visit."""
    visits: dict[int, list[datetime]] = {}
    for basket in sample.baskets:
        visits.setdefault(basket.household, []).append(basket.occurred_at)
    second = {household: times[1] for household, times in visits.items() if len(times) > 1}
    return {
        household: at + timedelta(hours=1)
        for household, at in second.items()
        if _draw("late", household).random() < LATE_ENROLMENT_SHARE
    }


def _upload(week: tuple[str, date], calls: Iterable[Call]) -> Upload:
    store_id, monday = week
    back_online = datetime.combine(monday + timedelta(days=7), datetime.min.time(), data.ZONE)
    return Upload(at=back_online, store_id=store_id, calls=tuple(calls))


def _monday(at: datetime) -> date:
    return at.date() - timedelta(days=at.weekday())


def _draw(*of: object) -> Random:
    return Random(":".join(str(part) for part in (data.SEED, *of)))
