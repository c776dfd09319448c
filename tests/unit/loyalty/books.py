"""A ledger in memory: keeps between batches what the tables keep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.loyalty.domain import fold, tiers
from services.loyalty.domain.fold import Book, Lot, MemberState, Posting, ReceiptState
from services.loyalty.domain.programme import Programme
from tests.unit.loyalty import programmes

YEAR = 2026


@dataclass
class Ledger:
    """Applies batches as the handler does, and remembers."""

    programme: Programme = field(default_factory=programmes.small)
    receipts: dict[UUID, ReceiptState] = field(default_factory=dict)
    members: dict[UUID, MemberState] = field(default_factory=dict)
    lots: dict[tuple[UUID, UUID], Lot] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)

    def apply(self, events: Sequence[Any]) -> Book:
        """Fold one batch and keep the result."""
        loaded = dict(self.receipts)
        for state in self.members.values():
            state.tier = tiers.tier_of(self.programme.tiers, state.spend, YEAR)
        book = Book(self.programme, YEAR, dict(loaded), self.members)
        for event in events:
            fold.fold(book, event)
        changes = fold.lot_changes(loaded, book.receipts, self.programme.time_zone)
        for key in changes.gone:
            del self.lots[key]
        for lot in changes.changed:
            assert (lot.member_id, lot.lot_id) in self.lots
        for lot in changes.new:
            assert (lot.member_id, lot.lot_id) not in self.lots
        for lot in (*changes.new, *changes.changed):
            self.lots[lot.member_id, lot.lot_id] = lot
        self.receipts = dict(book.receipts)
        self.postings += book.postings
        return book

    def apply_all(self, batches: Iterable[Sequence[Any]]) -> None:
        """Fold batches one after the other."""
        for batch in batches:
            self.apply(batch)

    def outcome(self) -> dict[str, Any]:
        """Return all that must not depend on the order: balances, lots, tiers, spend."""
        return {
            "balances": {key: state.balance for key, state in self.members.items()},
            "tiers": {
                key: tiers.tier_of(self.programme.tiers, state.spend, YEAR)
                for key, state in self.members.items()
            },
            "spend": {
                (key, year): amount
                for key, state in self.members.items()
                for year, amount in state.spend.items()
                if amount
            },
            "lots": self.lots,
        }
