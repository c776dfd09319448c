"""Most other contract events: members, catalogue, keys, points, offers, messages, consent."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from shared import ids
from shared.contracts.catalogue import ProductChanged, ProductState, StoreChanged, StoreState
from shared.contracts.credentials import CredentialChanged, CredentialState
from shared.contracts.interactions import (
    Consent,
    ConsentGiven,
    ConsentWithdrawn,
    Interaction,
    InteractionRecorded,
)
from shared.contracts.loyalty import (
    AwardMovement,
    Correction,
    EndAhead,
    LotBegin,
    LotEnd,
    OpeningLot,
    Passage,
    PointsActivated,
    PointsAdjusted,
    PointsAwarded,
    PointsEarned,
    PointsExpired,
    PointsExpiring,
    PointsMerged,
    PointsMovement,
    PointsOpened,
    PointsRestored,
    PointsReturned,
    PointsSpent,
    PointsWrittenOff,
    Spending,
    WriteOff,
)
from shared.contracts.members import (
    MemberChanged,
    MemberContact,
    MemberContactChanged,
    MemberState,
)
from shared.contracts.messages import MessageDecision, MessageSent, MessageSuppressed
from shared.contracts.offers import (
    OfferIssue,
    OfferIssued,
    OfferRedeemed,
    OfferRedemption,
    OfferRestored,
)
from tests.builders import made
from tests.builders.made import CURRENCY, MEMBER, NOW, STORE, TERMINAL
from tests.builders.purchases import receipt


def member_changed(**overrides: Any) -> MemberChanged:
    """Build the state of an active member with one card."""
    return made.event(
        MemberChanged,
        MemberState,
        {
            "member_id": MEMBER,
            "version": 1,
            "status": "active",
            "enrolled_at": NOW - timedelta(days=365),
            "locale": "en-US",
            "time_zone": "America/New_York",
            "home_store": STORE,
            "identifiers": ({"kind": "card", "hmac": sha256(b"9840001234").hexdigest()},),
        },
        overrides,
    )


def member_contact_changed(**overrides: Any) -> MemberContactChanged:
    """Build the contact details of a member with all of them."""
    return made.event(
        MemberContactChanged,
        MemberContact,
        {
            "member_id": MEMBER,
            "version": 1,
            "name": "Ada Example",
            "email": "ada@example.org",
            "phone": "+12025550123",
            "locale": "en-US",
            "time_zone": "America/New_York",
        },
        overrides,
    )


def store_changed(**overrides: Any) -> StoreChanged:
    """Build the state of a store."""
    state = {
        "store_id": STORE,
        "version": 1,
        "name": "Main Street",
        "time_zone": "America/New_York",
    }
    return made.event(StoreChanged, StoreState, state, overrides)


def product_changed(**overrides: Any) -> ProductChanged:
    """Build the state of a product."""
    state = {
        "sku": "sku-1",
        "version": 1,
        "name": "Bananas",
        "category": "BANANAS",
        "cost_minor": 40,
        "currency": CURRENCY,
    }
    return made.event(ProductChanged, ProductState, state, overrides)


def credential_changed(**overrides: Any) -> CredentialChanged:
    """Build the state of a terminal's key."""
    state = {
        "key_id": "abcdefghijkl",
        "version": 1,
        "secret_sha256": sha256(b"secret").hexdigest(),
        "role": "terminal",
        "label": "till 3",
        "store_id": STORE,
        "terminal_id": TERMINAL,
    }
    return made.event(CredentialChanged, CredentialState, state, overrides)


def points_earned(**overrides: Any) -> PointsEarned:
    """Build 99 points for the default receipt."""
    return made.event(PointsEarned, PointsMovement, _movement(), overrides)


def points_returned(**overrides: Any) -> PointsReturned:
    """Build the taking back of those 99 points."""
    return made.event(PointsReturned, PointsMovement, {**_movement(), "available": 0}, overrides)


def points_opened(**overrides: Any) -> PointsOpened:
    """Build 120 points that the member brought from elsewhere."""
    state = {
        "member_id": MEMBER,
        "lot_id": ids.lot_id("old-1"),
        "points": 120,
        "available": 120,
        "earned_at": NOW - timedelta(days=100),
        "expires_at": NOW + timedelta(days=265),
        "explain": "Brought over from the previous programme: 120 points.",
    }
    return made.event(PointsOpened, OpeningLot, state, overrides)


def points_spent(**overrides: Any) -> PointsSpent:
    """Build 200 held points that were spent."""
    return made.event(PointsSpent, Spending, _spending("Spent: 200 points."), overrides)


def points_restored(**overrides: Any) -> PointsRestored:
    """Build 200 spent points that came back with what they had paid for."""
    words = "What they had paid for came back: 200 points."
    return made.event(PointsRestored, Spending, _spending(words), overrides)


def _spending(words: str) -> dict[str, Any]:
    hold_id = ids.derived_id(MEMBER, "hold")
    return {
        "member_id": MEMBER,
        "hold_id": hold_id,
        "points": 200,
        "available": 800,
        "explain": words,
    }


def points_activated(**overrides: Any) -> PointsActivated:
    """Build 50 points that had waited and can be spent."""
    state = {
        "member_id": MEMBER,
        "lot_id": ids.lot_id("old-1"),
        "points": 50,
        "available": 1_050,
        "explain": "The points can be spent from now on: 50 points.",
    }
    return made.event(PointsActivated, LotBegin, state, overrides)


def points_expired(**overrides: Any) -> PointsExpired:
    """Build 50 points that ended unspent."""
    state = {
        "member_id": MEMBER,
        "lot_id": ids.lot_id("old-1"),
        "points": 50,
        "available": 950,
        "explain": "Ended unspent: 50 points.",
    }
    return made.event(PointsExpired, LotEnd, state, overrides)


def points_adjusted(**overrides: Any) -> PointsAdjusted:
    """Build 300 points that staff gave."""
    state = {
        "member_id": MEMBER,
        "adjustment_id": ids.derived_id(MEMBER, "adjustment"),
        "points": 300,
        "available": 1_300,
        "expires_at": NOW + timedelta(days=365),
        "reason": "goodwill",
        "explain": "Corrected by hand: +300 points, as a gesture of goodwill.",
    }
    return made.event(PointsAdjusted, Correction, state, overrides)


def points_awarded(**overrides: Any) -> PointsAwarded:
    """Build 500 points for a challenge."""
    state = {
        "member_id": MEMBER,
        "award_id": ids.derived_id(MEMBER, "award:two-quarters:1"),
        "rule": "two-quarters",
        "points": 500,
        "available": 1_500,
        "begins_at": NOW,
        "expires_at": NOW + timedelta(days=365),
        "programme_version": "v1",
        "explain": "Three visits in each of two quarters: 500 points.",
    }
    return made.event(PointsAwarded, AwardMovement, state, overrides)


def points_merged(**overrides: Any) -> PointsMerged:
    """Build 300 points that came with a member who was merged into this one."""
    state = {
        "member_id": MEMBER,
        "other_id": ids.derived_id(MEMBER, "twin"),
        "points": 300,
        "available": 1_300,
        "explain": "Taken over from another membership: 300 points.",
    }
    return made.event(PointsMerged, Passage, state, overrides)


def points_written_off(**overrides: Any) -> PointsWrittenOff:
    """Build 50 points that the shop bears."""
    state = {
        "member_id": MEMBER,
        "points": 50,
        "available": 0,
        "explain": "There were not as many; the shop bears the rest: 50 points.",
    }
    return made.event(PointsWrittenOff, WriteOff, state, overrides)


def points_expiring(**overrides: Any) -> PointsExpiring:
    """Build 200 points that end in two weeks."""
    state = {
        "member_id": MEMBER,
        "points": 200,
        "ends_at": NOW + timedelta(days=14),
        "value_minor": 20,
        "currency": CURRENCY,
        "last_day": "4 December 2026",
        "explain": "200 points, worth 0.20 USD, can be spent until 4 December 2026.",
    }
    return made.event(PointsExpiring, EndAhead, state, overrides)


def offer_issued(**overrides: Any) -> OfferIssued:
    """Build an offer of 20 % on the default line's category, valid for a week."""
    state = {
        "offer_id": ids.derived_id(MEMBER, "test-offer"),
        "member_id": MEMBER,
        "campaign": "weekly",
        "title": "20 % off bananas",
        "reason": "You buy bananas about every 9 days",
        "category": "BANANAS",
        "discount": {"kind": "percent", "percent": 20},
        "currency": CURRENCY,
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=7),
    }
    return made.event(OfferIssued, OfferIssue, state, overrides)


def offer_redeemed(**overrides: Any) -> OfferRedeemed:
    """Build the use of the default offer by the default receipt."""
    return made.event(OfferRedeemed, OfferRedemption, _redemption(), overrides)


def offer_restored(**overrides: Any) -> OfferRestored:
    """Build the giving back of that use."""
    return made.event(OfferRestored, OfferRedemption, _redemption(), overrides)


def message_sent(**overrides: Any) -> MessageSent:
    """Build a points message in the inbox that passed its gates."""
    return made.event(MessageSent, MessageDecision, _decision(passed=True), overrides)


def message_suppressed(**overrides: Any) -> MessageSuppressed:
    """Build the same message, stopped for want of consent."""
    return made.event(MessageSuppressed, MessageDecision, _decision(passed=False), overrides)


def consent_given(**overrides: Any) -> ConsentGiven:
    """Build a yes to marketing by e-mail, said at enrolment."""
    return made.event(ConsentGiven, Consent, _consent("enrolment"), overrides)


def consent_withdrawn(**overrides: Any) -> ConsentWithdrawn:
    """Build the no that a click on unsubscribe means."""
    return made.event(ConsentWithdrawn, Consent, _consent("unsubscribe-link"), overrides)


def interaction_recorded(**overrides: Any) -> InteractionRecorded:
    """Build a call of seven minutes with the member."""
    defaults = {
        "interaction_id": ids.derived_id(MEMBER, "test-interaction"),
        "kind": "call",
        "member_id": MEMBER,
        "occurred_at": NOW,
        "received_at": NOW,
        "properties": {"minutes": 7},
    }
    return made.event(InteractionRecorded, Interaction, defaults, overrides)


def _movement() -> dict[str, Any]:
    return {
        "member_id": MEMBER,
        "receipt_id": receipt().receipt_id,
        "store_id": STORE,
        "points": 99,
        "available": 99,
        "programme_version": "1",
        "explain": "1 point per cent",
    }


def _redemption() -> dict[str, Any]:
    return {
        "offer_id": ids.derived_id(MEMBER, "test-offer"),
        "member_id": MEMBER,
        "campaign": "weekly",
        "receipt_id": receipt().receipt_id,
        "discount_minor": 20,
        "currency": CURRENCY,
    }


def _decision(*, passed: bool) -> dict[str, Any]:
    cause = points_earned().id
    return {
        "message_id": ids.derived_id(cause, "test-message"),
        "member_id": MEMBER,
        "topic": "points",
        "channel": "inbox",
        "template": "points-earned",
        "cause_id": cause,
        "gates": ({"gate": "consent", "passed": passed, "detail": "marketing by inbox"},),
    }


def _consent(source: str) -> dict[str, Any]:
    evidence = {
        "wording_id": "newsletter",
        "wording_version": 1,
        "source": source,
        "recorded_at": NOW,
    }
    return {
        "member_id": MEMBER,
        "purpose": "marketing",
        "channel": "email",
        "evidence": evidence,
    }
