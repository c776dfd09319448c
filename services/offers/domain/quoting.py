"""What a basket would get now: lines with discounts, and every offer considered with why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.offers.domain import terms
from services.offers.domain.terms import OfferTerms

Outcome = Literal[
    "applied", "lost", "no_match", "margin_floor", "no_effect",
    "redeemed", "expired", "not_yet_valid", "other_currency", "not_found",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A line of the basket; ``amount_minor`` is after the till's own discounts."""

    line_no: int
    sku: str
    category: str | None
    quantity_milli: int
    amount_minor: int
    cost_minor: int | None = None
    """Cost of one sales unit, where it is known in the basket's currency."""


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with the discount of the offer that won it."""

    line_no: int
    amount_minor: int
    discount_minor: int
    offer_id: UUID | None

    @property
    def net_amount_minor(self) -> int:
        """What the member would pay for the line; never below zero."""
        return self.amount_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class Considered:
    """One offer, what became of it, and why in words."""

    offer_id: UUID
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer: the lines in their order, the offers in the order of their ids."""

    lines: tuple[QuotedLine, ...]
    considered: tuple[Considered, ...]

    @property
    def subtotal_minor(self) -> int:
        """Sum of the lines before offers."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """Sum of what the offers take off."""
        return sum(line.discount_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """What the member would pay."""
        return self.subtotal_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class _Pair:
    """An offer on a line: a possibility."""

    offer: OfferTerms
    line: BasketLine
    full_minor: int
    """The discount by the offer's terms alone."""
    discount_minor: int
    """The discount that the margin floor leaves of it."""


def quote(
    lines: Sequence[BasketLine], offers: Iterable[OfferTerms], *, currency: str, now: datetime
) -> Quote:
    """Give each line its best offer and each offer one line.

    Pairs are taken from the greatest discount down; ties go to the lower line number, then the
    lower offer id. With one product per offer, as campaigns issue them, that is also the greatest
    total; with overlapping categories it is the rule (a till operator can follow it).
    """
    verdicts: dict[UUID, Considered] = {}
    pairs: dict[UUID, list[_Pair]] = {}
    for offer in offers:
        refusal = _refusal(offer, currency=currency, now=now)
        if refusal is not None:
            verdicts[offer.offer_id] = refusal
            continue
        found = [_pair(offer, line) for line in lines if _can_apply(offer, line)]
        if any(pair.discount_minor > 0 for pair in found):
            pairs[offer.offer_id] = found
        else:
            verdicts[offer.offer_id] = _without_effect(offer, found)
    won = _assign(pairs)
    for offer_id, found in pairs.items():
        verdicts[offer_id] = _verdict(offer_id, found, won)
    return Quote(
        lines=tuple(_quoted(line, won) for line in lines),
        considered=tuple(verdicts[offer_id] for offer_id in sorted(verdicts)),
    )


def _refusal(offer: OfferTerms, *, currency: str, now: datetime) -> Considered | None:
    """Return why the offer is out whatever the basket holds."""
    if offer.state == "redeemed":
        return Considered(offer.offer_id, "redeemed", "Already used.")
    if now < offer.valid_from:
        text = f"Valid from {offer.valid_from.isoformat()}."
        return Considered(offer.offer_id, "not_yet_valid", text)
    if now > offer.valid_until:
        text = f"Valid until {offer.valid_until.isoformat()}."
        return Considered(offer.offer_id, "expired", text)
    if offer.currency != currency:
        text = f"The offer is in {offer.currency}, the basket in {currency}."
        return Considered(offer.offer_id, "other_currency", text)
    return None


def _can_apply(offer: OfferTerms, line: BasketLine) -> bool:
    return offer.matches(line.sku, line.category) and (
        line.quantity_milli > 0 or line.amount_minor > 0
    )


def _pair(offer: OfferTerms, line: BasketLine) -> _Pair:
    full = terms.discount_minor(offer, line.amount_minor)
    if offer.margin_floor_percent is None or line.cost_minor is None:
        return _Pair(offer, line, full, full)
    floor = terms.floor_price_minor(
        line.cost_minor, line.quantity_milli, offer.margin_floor_percent
    )
    return _Pair(offer, line, full, max(0, min(full, line.amount_minor - floor)))


def _without_effect(offer: OfferTerms, found: Sequence[_Pair]) -> Considered:
    if not found:
        wanted = f"SKU {offer.sku}" if offer.sku is not None else f"category {offer.category}"
        return Considered(offer.offer_id, "no_match", f"The basket has no line of {wanted}.")
    numbers = ", ".join(str(pair.line.line_no) for pair in found)
    if any(pair.full_minor > 0 for pair in found):
        text = f"A discount on line {numbers} would go below the margin floor."
        return Considered(offer.offer_id, "margin_floor", text)
    return Considered(offer.offer_id, "no_effect", f"Nothing to take off line {numbers}.")


def _assign(pairs: dict[UUID, list[_Pair]]) -> dict[int, _Pair]:
    """Return the winning pair of each line number."""
    best_first = sorted(
        (pair for found in pairs.values() for pair in found if pair.discount_minor > 0),
        key=lambda pair: (-pair.discount_minor, pair.line.line_no, pair.offer.offer_id),
    )
    won: dict[int, _Pair] = {}
    used: set[UUID] = set()
    for pair in best_first:
        if pair.line.line_no not in won and pair.offer.offer_id not in used:
            won[pair.line.line_no] = pair
            used.add(pair.offer.offer_id)
    return won


def _verdict(offer_id: UUID, found: Sequence[_Pair], won: dict[int, _Pair]) -> Considered:
    """Say what became of an offer that could have had an effect."""
    for pair in won.values():
        if pair.offer.offer_id == offer_id:
            cut = pair.full_minor - pair.discount_minor
            kept = f", {cut} less to keep the margin floor" if cut else ""
            text = f"{pair.discount_minor} off line {pair.line.line_no}{kept}."
            return Considered(offer_id, "applied", text)
    best = max(found, key=lambda pair: (pair.discount_minor, -pair.line.line_no))
    winner = won[best.line.line_no]
    text = (
        f"Line {best.line.line_no} gets {winner.discount_minor} off by offer "
        f"{winner.offer.offer_id}; this one would give {best.discount_minor}."
    )
    return Considered(offer_id, "lost", text)


def _quoted(line: BasketLine, won: dict[int, _Pair]) -> QuotedLine:
    pair = won.get(line.line_no)
    if pair is None:
        return QuotedLine(line.line_no, line.amount_minor, 0, None)
    return QuotedLine(line.line_no, line.amount_minor, pair.discount_minor, pair.offer.offer_id)
