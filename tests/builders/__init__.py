"""Valid contract events by default; a test overrides only what it is about.

Overrides are fields of the event's ``data``, or of the envelope: ``id source time subject``.
An override that is no field raises, so that a misspelt one cannot make a test pass.
"""

from tests.builders.events import (
    consent_given,
    consent_withdrawn,
    credential_changed,
    interaction_recorded,
    member_changed,
    member_contact_changed,
    message_sent,
    message_suppressed,
    offer_issued,
    offer_redeemed,
    offer_restored,
    points_earned,
    points_opened,
    points_returned,
    product_changed,
    store_changed,
    tier_changed,
)
from tests.builders.made import CURRENCY, FRESH, MEMBER, NOW, STORE, TERMINAL
from tests.builders.purchases import (
    line,
    purchase_amended,
    purchase_attributed,
    purchase_recorded,
    purchase_returned,
    purchase_voided,
    receipt,
    receipt_id_of,
)

__all__ = [
    "CURRENCY",
    "FRESH",
    "MEMBER",
    "NOW",
    "STORE",
    "TERMINAL",
    "consent_given",
    "consent_withdrawn",
    "credential_changed",
    "interaction_recorded",
    "line",
    "member_changed",
    "member_contact_changed",
    "message_sent",
    "message_suppressed",
    "offer_issued",
    "offer_redeemed",
    "offer_restored",
    "points_earned",
    "points_opened",
    "points_returned",
    "product_changed",
    "purchase_amended",
    "purchase_attributed",
    "purchase_recorded",
    "purchase_returned",
    "purchase_voided",
    "receipt",
    "receipt_id_of",
    "store_changed",
    "tier_changed",
]
