"""Which receipt uses an offer."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.offers.domain import redeeming
from services.offers.domain.habits import Line
from services.offers.domain.redeeming import Claim, Sale
from services.offers.domain.terms import OfferTerms

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANNA, BEN = UUID(int=1), UUID(int=2)
OFFER = OfferTerms(
    offer_id=UUID(int=7),
    member_id=ANNA,
    campaign="weekly",
    title="",
    sku="milk",
    category=None,
    percent=20,
    amount_minor=None,
    currency="USD",
    margin_floor_percent=None,
    valid_from=NOW - timedelta(days=1),
    valid_until=NOW + timedelta(days=6),
)
MILK = Line("milk", "DAIRY", 1000, 80, 20)


def sale(
    *lines: Line,
    member: UUID | None = ANNA,
    days: float = 0,
    currency: str = "USD",
    suspect: bool = False,
) -> Sale:
    return Sale(UUID(int=50), member, NOW + timedelta(days=days), currency, suspect, lines)


@pytest.mark.parametrize(
    ("made", "outcome", "discount"),
    [
        (sale(MILK), "effective", 20),
        (sale(Line("milk", None, 1000, 95, 5)), "effective", 5),  # the till took only 5 off
        (sale(Line("milk", None, 1000, 50, 50)), "effective", 20),  # the rest was another's
        (sale(Line("tea", None, 1000, 80, 20)), "no_effect", 0),
        (sale(), "no_effect", 0),
        (sale(MILK, member=BEN), "not_yours", 0),
        (sale(MILK, member=None), "not_yours", 0),
        (sale(MILK, days=-2), "not_yet_valid", 0),
        (sale(MILK, days=7), "expired", 0),
        (sale(MILK, currency="EUR"), "other_currency", 0),
        (sale(MILK, suspect=True), "clock_suspect", 0),
    ],
)
def test_claims(made: Sale, outcome: str, discount: int) -> None:
    claim = redeeming.judge(OFFER.offer_id, OFFER, made)
    assert (claim.outcome, claim.discount_minor) == (outcome, discount)


def test_an_offer_that_we_never_issued_is_unknown() -> None:
    assert redeeming.judge(UUID(int=8), None, sale(MILK)).outcome == "unknown"


def test_the_earliest_sale_wins_whatever_the_order() -> None:
    def claim(number: int, hours: int, outcome: redeeming.Outcome = "effective") -> Claim:
        at = NOW + timedelta(hours=hours)
        return Claim(OFFER.offer_id, UUID(int=number), ANNA, at, outcome)

    claims = [claim(3, 2), claim(9, 1), claim(4, 1), claim(1, 0, "no_effect")]
    assert redeeming.winner(claims) == claims[2]
    assert redeeming.winner(reversed(claims)) == claims[2]
    assert redeeming.winner(claims[3:]) is None
