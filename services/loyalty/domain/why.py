"""Why points moved: the causes that entries name."""

from typing import Literal

from services.loyalty.domain.receipts import Occasion

Why = Literal[
    "purchase",
    "return",
    "void",
    "amendment",
    "attribution",
    "moved_away",
    "correction",
    "cap",
    "opening",
    "hold",
    "capture",
    "release",
    "returned",
    "activation",
    "expiry",
    "adjustment",
    "award",
    "merged_away",
    "merged_in",
    "loss",
    "approval",
    "tier",
]

WHY: dict[str, Why] = {
    "purchase.recorded.v1": "purchase",
    "purchase.returned.v1": "return",
    "purchase.voided.v1": "void",
    "purchase.amended.v1": "amendment",
    "purchase.attributed.v1": "attribution",
}


def is_history(event: Occasion) -> bool:
    """Whether nobody is told of it: an imported receipt as such, not what comes of it later."""
    return event.data.imported and WHY.get(event.type) in {"purchase", "attribution"}
