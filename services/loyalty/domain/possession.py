"""Phone earns, possession spends: what proves that a member is there, and when it must be proven.

Whoever knows a telephone number can say it at a till. That is enough to earn for the member, and
not to spend what they have.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.errors import Refused

PROOFS = ("card", "app_code")
"""What a member has with them: a card that was scanned, the code that their phone shows now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a request says that the member is, and by what: ``identified_by``."""

    member_id: UUID
    kind: str
    """``card app_code phone email app_id member_id``."""
    value: str


@dataclass(frozen=True, slots=True)
class Possession:
    """How a member was identified, once that has been checked."""

    member_id: UUID
    identified_by: str
    proven: bool
    """Whether it shows that the member is there; else they were only recognised."""
    device_id: UUID | None = None
    """The phone, where its code was used."""
    available: int = 0
    """Points, seen without a lock."""
    pending: int = 0


def require_possession(possession: Possession, points: int, *, recognised_max_points: int) -> None:
    """Raise ``Refused`` (403) where so many points need more than recognition.

    Up to ``recognised_max_points`` a recognised member may spend; 0 always asks for a proof.
    """
    if possession.proven or points <= recognised_max_points:
        return
    raise Refused(
        "possession_required",
        f"Spending more than {recognised_max_points} points needs the member's card or app.",
        status=403,
        identified_by=possession.identified_by,
        accepted=list(PROOFS),
        recognised_max_points=recognised_max_points,
    )
