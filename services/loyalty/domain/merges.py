"""Merges: one member takes over from another, until that is undone.

A merge is one recorded fact. The member who was merged keeps folding their own receipts and
spends, up to the time of the merge, as if nothing had happened; what their lots have left then, and
what they owe then, stands in the books of the one who took over. So a fact that comes late changes
the first books as it would have in time, and the second ones by the difference.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.loyalty.domain.lots import Drawn, Lot
from shared import ids


@dataclass(frozen=True, slots=True)
class Merge:
    """That one member took over from another."""

    merge_id: UUID
    member_id: UUID
    """Who was merged."""
    into_id: UUID
    """Who took over."""
    merged_at: datetime
    """Up to when the lots of the one that was merged are drawn in their own books."""
    merged_by: str
    """The key that asked for it; so ``undone_by``."""
    undone_at: datetime | None = None
    undone_by: str | None = None

    def undo(self, by: str, now: datetime) -> "Merge":
        """Return it undone."""
        return replace(self, undone_at=now, undone_by=by)

    def passed_id(self, lot_id: UUID) -> UUID:
        """Return the id that a lot has with the one who took over."""
        return ids.derived_id(self.merge_id, str(lot_id))

    def passed_lot(self, lot: Lot, drawn: Drawn) -> Lot:
        """Return what has passed of a lot, as the one who took over has it: with its old end."""
        begins_at = max(self.merged_at, lot.activates_at)
        key = self.passed_id(lot.lot_id)
        # Points that end by inactivity count that from the merge on.
        months = lot.inactive_months
        return Lot(self.into_id, key, drawn.passed, begins_at, lot.expires_at, months)
