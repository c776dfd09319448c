"""Which receipt used an offer: a fold over the receipts that name it, in any order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.offers.domain import terms
from services.offers.domain.habits import Line
from services.offers.domain.terms import OfferTerms

Outcome = Literal[
    "effective", "no_effect", "not_yours", "expired", "not_yet_valid", "other_currency",
    "clock_suspect", "withdrawn", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """A receipt that names an offer, judged at the receipt's newest revision.

    ``occurred_at`` is the till's time of the sale: it decides who was first and whether the
    offer was still valid, so a till that was offline loses nothing.
    """

    offer_id: UUID
    receipt_id: UUID
    member_id: UUID | None
    occurred_at: datetime
    outcome: Outcome
    discount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Sale:
    """What judging a claim needs of a receipt; ``lines`` are the kept ones."""

    receipt_id: UUID
    member_id: UUID | None
    occurred_at: datetime
    currency: str
    clock_suspect: bool
    lines: Sequence[Line]


def judge(offer_id: UUID, offer: OfferTerms | None, sale: Sale) -> Claim:
    """Return what the offer named on this sale comes to.

    An offer that has no effect (no line of its kind was kept) is not used up; a suspect clock
    never wins what is limited in time.
    """

    def claim(outcome: Outcome, discount: int = 0) -> Claim:
        return Claim(offer_id, sale.receipt_id, sale.member_id, sale.occurred_at, outcome, discount)

    if offer is None:
        return claim("unknown")
    obstacle = _obstacle(offer, sale)
    if obstacle is not None:
        return claim(obstacle)
    matching = [line for line in sale.lines if offer.matches(line.sku, line.category)]
    if not matching:
        return claim("no_effect")
    return claim("effective", max(_granted(offer, line) for line in matching))


def _obstacle(offer: OfferTerms, sale: Sale) -> Outcome | None:
    """Return what stands between a sale and an offer whatever was bought."""
    obstacles: tuple[tuple[bool, Outcome], ...] = (
        (sale.member_id != offer.member_id, "not_yours"),
        (sale.clock_suspect, "clock_suspect"),
        (sale.occurred_at < offer.valid_from, "not_yet_valid"),
        (sale.occurred_at > offer.valid_until, "expired"),
        (sale.currency != offer.currency, "other_currency"),
    )
    return next((outcome for stands, outcome in obstacles if stands), None)


def _granted(offer: OfferTerms, line: Line) -> int:
    """Return how much of the line's discount this offer can account for."""
    return min(
        line.discount_minor, terms.discount_minor(offer, line.amount_minor + line.discount_minor)
    )


def winner(claims: Iterable[Claim]) -> Claim | None:
    """Return the claim that uses the offer: the earliest sale, then the lower receipt id."""
    effective = [claim for claim in claims if claim.outcome == "effective"]
    return min(effective, key=lambda claim: (claim.occurred_at, claim.receipt_id), default=None)
