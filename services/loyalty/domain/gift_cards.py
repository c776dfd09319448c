"""The rules of gift cards: money moves between a card and the programme, entry by entry.

A card has two accounts, ``available`` and ``held``; the programme's accounts say where its money
came from (``sold``, ``loaded``, and ``rewarded`` for points), where it went (``redeemed``,
``expired``), what came back (``refunded``) and what was spent that no card had (``lost``).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from shared.errors import Refused

AVAILABLE, HELD = "available", "held"
SOLD, REWARDED = "sold", "rewarded"
LOADED, REDEEMED = "loaded", "redeemed"
REFUNDED, EXPIRED, LOST = "refunded", "expired", "lost"

CardState = Literal["inactive", "active", "blocked", "expired"]
HoldState = Literal["open", "captured", "released", "expired"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Terms(NamedTuple):
    """What the shop grants and allows."""

    balance_minor_max: int
    """Most money on one card."""
    validity_min: timedelta
    """For how long money is good that comes onto a card, whatever its date of expiry was."""


def has_ended(state: CardState, expires_at: datetime | None, now: datetime) -> bool:
    """Whether a card's time is over; a blocked one stays blocked for those who ask."""
    return state != "blocked" and expires_at is not None and expires_at <= now


@dataclass(slots=True)
class Card:
    """A gift card as it stands; all money in minor units of ``currency``."""

    gift_card_id: UUID
    currency: str
    face_minor: int
    """What it is sold for: its money once it is activated."""
    expires_at: datetime | None
    state: CardState = "inactive"
    state_by: str = ""
    """Who brought it into this state."""
    state_at: datetime | None = None
    activated_at: datetime | None = None
    available_minor: int = 0
    held_minor: int = 0
    version: int = 0
    """Counts its entries."""
    hash: bytes = b""
    """Of the last entry; empty before the first."""

    @property
    def balance_minor(self) -> int:
        """What the shop owes on it."""
        return self.available_minor + self.held_minor

    def state_on(self, now: datetime) -> CardState:
        """Return its state; one that has ended is expired, also before the job has seen it."""
        return "expired" if has_ended(self.state, self.expires_at, now) else self.state

    def check_active(self, now: datetime) -> None:
        """Raise ``Refused`` (409) unless money may be put on it or held."""
        state = self.state_on(now)
        if state != "active":
            detail = f"The gift card is {state}."
            raise Refused("gift_card_not_active", detail, state=state)


@dataclass(slots=True)
class Hold:
    """Money of a card kept for a till until ``expires_at``."""

    hold_id: UUID
    gift_card_id: UUID
    amount_minor: int
    opened_at: datetime
    expires_at: datetime
    opened_by: str
    store_id: str | None
    """Of the till; None where no till asked."""
    state: HoldState = "open"
    captured_minor: int = 0
    lost_minor: int = 0
    """The part of ``captured_minor`` that the card no longer had."""
    refunded_minor: int = 0
    """Given back by hand."""
    returned_minor: int = 0
    """Given back because goods came back, by the newest revision of the receipt."""
    receipt_id: UUID | None = None
    """The first receipt that named it; no other one captures it."""

    @property
    def back_minor(self) -> int:
        """What was given back in all, never more than was captured."""
        return min(self.captured_minor, self.refunded_minor + self.returned_minor)


class Entry(NamedTuple):
    """One row of the ledger: money moved between two accounts, so that it balances."""

    gift_card_id: UUID
    version: int
    cause_id: UUID
    """What brought it about: a call, a hold, an event."""
    from_account: str
    to_account: str
    amount_minor: int
    """Positive."""
    available_after: int
    held_after: int
    hold_id: UUID | None
    receipt_id: UUID | None
    actor: str
    """Who did it: a role and key, or a part of the service."""
    occurred_at: datetime
    posted_at: datetime


def link(before: bytes, entry: Entry) -> bytes:
    """Return the hash (SHA-256) of ``entry`` behind the hash ``before``, empty for the first.

    What is hashed is text, so that anybody can do it again: the fields with bars between them,
    times in microseconds since 1970, nothing for null. ``store.gift_books`` has the same in SQL.
    """
    text = "|".join(map(_text, entry))
    return hashlib.sha256(before + text.encode()).digest()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return str((value - _EPOCH) // _MICROSECOND)
    return "" if value is None else str(value)


class Cause(NamedTuple):
    """Why money moves."""

    cause_id: UUID
    occurred_at: datetime
    hold_id: UUID | None = None
    receipt_id: UUID | None = None


@dataclass(slots=True)
class Book:
    """The working copy of one request, one batch or one chunk of a job."""

    actor: str
    now: datetime
    cards: dict[UUID, Card] = field(default_factory=dict[UUID, Card])
    holds: dict[UUID, Hold] = field(default_factory=dict[UUID, Hold])
    entries: list[tuple[Entry, bytes]] = field(default_factory=list[tuple[Entry, bytes]])
    """With the hash of each."""

    def move(self, card: Card, accounts: tuple[str, str], amount_minor: int, cause: Cause) -> None:
        """Post ``amount_minor`` from the first account to the second; nothing for 0."""
        if not amount_minor:
            return
        source, target = accounts
        card.available_minor += amount_minor * ((target == AVAILABLE) - (source == AVAILABLE))
        card.held_minor += amount_minor * ((target == HELD) - (source == HELD))
        card.version += 1
        entry = Entry(
            card.gift_card_id,
            card.version,
            cause.cause_id,
            source,
            target,
            amount_minor,
            card.available_minor,
            card.held_minor,
            cause.hold_id,
            cause.receipt_id,
            self.actor,
            cause.occurred_at,
            self.now,
        )
        card.hash = link(card.hash, entry)
        self.entries.append((entry, card.hash))

    def set_state(self, card: Card, state: CardState) -> None:
        """Bring a card into ``state``, and remember who did."""
        if card.state != state:
            card.state, card.state_by, card.state_at = state, self.actor, self.now


def activate(book: Book, card: Card, cause: Cause, terms: Terms, *, source: str = SOLD) -> None:
    """Give an inactive card the money that it was sold for; nothing for one that is active.

    ``source`` is the programme's account that it comes from.
    """
    if card.state_on(book.now) == "active":
        return
    if card.state_on(book.now) != "inactive":
        card.check_active(book.now)
    book.set_state(card, "active")
    card.activated_at = book.now
    receive(book, card, terms)
    book.move(card, (source, AVAILABLE), card.face_minor, cause)


def load(book: Book, card: Card, amount_minor: int, cause: Cause, *, terms: Terms) -> None:
    """Put more money on a card; raises ``Refused`` above the most that one may have."""
    card.check_active(book.now)
    check_limit(card.balance_minor + amount_minor, terms)
    receive(book, card, terms)
    book.move(card, (LOADED, AVAILABLE), amount_minor, cause)


def check_limit(balance_minor: int, terms: Terms) -> None:
    """Raise ``Refused`` (422) where a card would have more than the shop allows."""
    if balance_minor > terms.balance_minor_max:
        raise Refused(
            "gift_card_limit",
            "The gift card would have more money than one may have.",
            status=422,
            balance_minor_max=terms.balance_minor_max,
        )


def block(book: Book, card: Card) -> None:
    """Stop a card: nothing is held or loaded; what a till holds already may be captured."""
    book.set_state(card, "blocked")


def unblock(book: Book, card: Card) -> None:
    """Let a blocked card be what it was before."""
    if card.state == "blocked":
        book.set_state(card, "active" if card.activated_at else "inactive")


def expire(book: Book, card: Card) -> None:
    """End a card whose time is over; what tills hold of it may still be captured."""
    if card.state != "blocked":
        book.set_state(card, "expired")
    at = card.expires_at or book.now
    book.move(card, (AVAILABLE, EXPIRED), card.available_minor, Cause(card.gift_card_id, at))


def receive(book: Book, card: Card, terms: Terms) -> None:
    """Let a card that money comes onto be good for as long as the law wants, at least."""
    if card.expires_at is not None:
        card.expires_at = max(card.expires_at, book.now + terms.validity_min)
        if card.state == "expired" and card.expires_at > book.now:
            book.set_state(card, "active" if card.activated_at else "inactive")
