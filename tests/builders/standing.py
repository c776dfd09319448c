"""Events of a member's tier, and of what the staff decides on receipts."""

from datetime import timedelta
from typing import Any

from shared.contracts.loyalty import (
    ApprovalDecided,
    ApprovalDecision,
    TierChanged,
    TierMovement,
    TierNoticed,
    TierWarning,
)
from tests.builders import made
from tests.builders.made import MEMBER, NOW, STORE
from tests.builders.purchases import receipt


def tier_changed(**overrides: Any) -> TierChanged:
    """Build the rise of a member to silver."""
    state = {"member_id": MEMBER, "previous": None, "tier": "silver", "reason": "Spent 500"}
    return made.event(TierChanged, TierMovement, state, overrides)


def tier_notice(**overrides: Any) -> TierNoticed:
    """Build the notice that a member will lose silver in a month."""
    state = {
        "member_id": MEMBER,
        "tier": "silver",
        "falls_to": None,
        "falls_at": NOW + timedelta(days=30),
        "measure": "spend",
        "missing": 12_000,
        "until": NOW.date(),
        "explain": "silver lasts until 2026-12-20",
    }
    return made.event(TierNoticed, TierWarning, state, overrides)


def approval_decided(**overrides: Any) -> ApprovalDecided:
    """Build the approval of the default receipt, that was worth 5,000 points."""
    state = {
        "member_id": MEMBER,
        "receipt_id": receipt().receipt_id,
        "store_id": STORE,
        "verdict": "approved",
        "points": 5_000,
        "begins_at": NOW,
        "explain": "The receipt was approved: 5000 points.",
    }
    return made.event(ApprovalDecided, ApprovalDecision, state, overrides)
