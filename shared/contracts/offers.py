"""Events of the ``offers`` topic."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Amount, Contract, Currency, Event


class OfferDiscount(Contract):
    """What the offer takes off one matching line: a percentage or an amount."""

    kind: Literal["percent", "amount"]
    """Which of the two below is given."""
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of the line's price."""
    amount_minor: Amount | None = None
    """In the offer's currency; never more than the line costs."""


class OfferIssue(Contract):
    """A discount was put in a member's wallet."""

    offer_id: UUID
    """What a till names to redeem it."""
    member_id: UUID
    """Whose wallet; no one else can use it."""
    campaign: str
    """Code of the campaign that issued it."""
    title: str
    """For the member: what it gives."""
    reason: str
    """In words a member understands: why they got it."""
    sku: str | None = None
    """The product it is for; absent for a category."""
    category: str | None = None
    """The category it is for; absent for a product."""
    discount: OfferDiscount
    """What it takes off."""
    currency: Currency
    """Of amounts in ``discount``."""
    valid_from: AwareDatetime
    """Usable from this instant."""
    valid_until: AwareDatetime
    """Usable until just before this instant."""


class OfferRedemption(Contract):
    """The use of an offer by a purchase."""

    offer_id: UUID
    """As issued."""
    member_id: UUID
    """Whose it was."""
    campaign: str
    """Code of the campaign that issued it."""
    receipt_id: UUID
    """The receipt it was used on."""
    discount_minor: Amount
    """What it took off, or what a return gave back."""
    currency: Currency
    """Of ``discount_minor``."""


class OfferIssued(Event):
    """An offer was issued."""

    type: Literal["offer.issued.v1"] = "offer.issued.v1"
    data: OfferIssue


class OfferRedeemed(Event):
    """An offer was redeemed."""

    type: Literal["offer.redeemed.v1"] = "offer.redeemed.v1"
    data: OfferRedemption


class OfferRestored(Event):
    """A return or void gave a redeemed offer back."""

    type: Literal["offer.restored.v1"] = "offer.restored.v1"
    data: OfferRedemption


OfferEvent = OfferIssued | OfferRedeemed | OfferRestored
