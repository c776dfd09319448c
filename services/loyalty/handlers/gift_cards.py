"""Gift cards: sold, loaded, blocked, looked up, and ended when their time is over."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import gift_cards, gift_codes
from services.loyalty.domain.gift_cards import Book, Card, Cause
from services.loyalty.store import gift_cards as store
from services.loyalty.store.gift_cards import Row
from shared import identity, ids
from shared.auth.failures import WINDOW_S
from shared.db import Tx
from shared.errors import Refused

SEED_BYTES = 16
EXPIRY_CHUNK = 500
"""Cards or holds that a transaction of a job ends at most."""


class Who(NamedTuple):
    """Who asks, as entries name them, and of which store where a till asks."""

    actor: str
    store_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A card to be made."""

    amount_minor: int
    currency: str
    reference: str | None
    expires_at: datetime | None
    activate: bool
    source: str = gift_cards.SOLD
    """The programme's account that its money comes from."""
    gift_card_id: UUID | None = None
    """Where it follows from what the card is for; a new one otherwise."""


async def issue(tx: Tx, wanted: Wanted, who: Who, context: LoyaltyContext) -> tuple[Row, str]:
    """Make a card; return it and the seed of its code (``code_of``), which is stored nowhere."""
    now, terms = context.clock.now(), context.gift_terms
    _check_wanted(wanted, now, context)
    seed = secrets.token_hex(SEED_BYTES)
    code = code_of(seed, context)
    card = Card(
        gift_card_id=wanted.gift_card_id or ids.new_id(),
        currency=wanted.currency,
        face_minor=wanted.amount_minor,
        expires_at=wanted.expires_at,
        state_by=who.actor,
        state_at=now,
    )
    facts = {
        "code_hmac": _hmac(code, context),
        "code_tail": code[-gift_codes.TAIL :],
        "reference": wanted.reference,
        "created_at": now,
    }
    await store.insert_card(tx, card, facts)
    if wanted.activate:
        book = Book(who.actor, now, {card.gift_card_id: card})
        cause = Cause(card.gift_card_id, now)
        gift_cards.activate(book, card, cause, terms, source=wanted.source)
        await store.store(tx, book)
    return await show(tx, card.gift_card_id), seed


def _check_wanted(wanted: Wanted, now: datetime, context: LoyaltyContext) -> None:
    if wanted.currency != context.programme.currency:
        detail = f"Gift cards are in {context.programme.currency}."
        raise Refused("currency_not_supported", detail)
    gift_cards.check_limit(wanted.amount_minor, context.gift_terms)
    least = now + context.gift_terms.validity_min
    if wanted.expires_at is not None and wanted.expires_at < least:
        detail = "A gift card must be good for longer."
        raise Refused("gift_card_validity", detail, status=422, expires_at_min=least.isoformat())


def code_of(seed: str, context: LoyaltyContext) -> str:
    """Return the code that a seed stands for: without our key, the seed says nothing of it."""
    digest = identity.identifier_hmac(context.identity_key, "gift_card_seed", seed)
    return gift_codes.from_digest(bytes.fromhex(digest))


def _hmac(code: str, context: LoyaltyContext) -> str:
    return identity.identifier_hmac(context.identity_key, "gift_card", code)


async def find(tx: Tx, typed: str, key_id: str, context: LoyaltyContext) -> UUID:
    """Return the id of the card with this code.

    Raises ``Refused``: 404, alike for a code that can be none and for one that is nobody's, and
    429 for a caller who has tried too many of them within a minute, whatever the code.
    """
    if context.code_failures.limited(key_id):
        detail = "Too many codes of no gift card."
        raise Refused("too_many_codes", detail, status=429, retry_after_s=WINDOW_S)
    code = gift_codes.read(typed)
    card_id = await store.find_card(tx, _hmac(code, context)) if code else None
    if card_id is None:
        context.code_failures.count(key_id)
        raise unknown()
    return card_id


def unknown() -> Refused:
    """Return the refusal of what is no card."""
    return Refused("gift_card_unknown", "There is no such gift card.", status=404)


async def show(tx: Tx, gift_card_id: UUID) -> Row:
    """Return a card as it is shown; 404 for nobody's id."""
    row = await store.load_card(tx, gift_card_id)
    if row is None:
        raise unknown()
    return row


async def entries(tx: Tx, gift_card_id: UUID, *, before: int | None, limit: int) -> Sequence[Any]:
    """Return a card's entries, newest first."""
    await show(tx, gift_card_id)
    return await store.list_entries(tx, gift_card_id, before=before, limit=limit)


async def open_book(
    tx: Tx, gift_card_id: UUID, who: Who, context: LoyaltyContext
) -> tuple[Book, Card]:
    """Lock a card, and return it in a book of its own; 404 for nobody's id."""
    cards = await store.lock_cards(tx, [gift_card_id])
    if gift_card_id not in cards:
        raise unknown()
    return Book(who.actor, context.clock.now(), cards), cards[gift_card_id]


async def activate(tx: Tx, gift_card_id: UUID, who: Who, context: LoyaltyContext) -> Row:
    """Give a card the money that it was sold for; the second time nothing happens."""
    book, card = await open_book(tx, gift_card_id, who, context)
    gift_cards.activate(book, card, Cause(gift_card_id, book.now), context.gift_terms)
    return await _stored(tx, book, gift_card_id)


async def load(
    tx: Tx, gift_card_id: UUID, amount_minor: int, who: Who, *, context: LoyaltyContext
) -> Row:
    """Put more money on an active card."""
    book, card = await open_book(tx, gift_card_id, who, context)
    cause = Cause(ids.new_id(), book.now)
    gift_cards.load(book, card, amount_minor, cause, terms=context.gift_terms)
    return await _stored(tx, book, gift_card_id)


async def block(tx: Tx, gift_card_id: UUID, who: Who, context: LoyaltyContext) -> Row:
    """Stop a card."""
    book, card = await open_book(tx, gift_card_id, who, context)
    gift_cards.block(book, card)
    return await _stored(tx, book, gift_card_id)


async def unblock(tx: Tx, gift_card_id: UUID, who: Who, context: LoyaltyContext) -> Row:
    """Let a blocked card be what it was before."""
    book, card = await open_book(tx, gift_card_id, who, context)
    gift_cards.unblock(book, card)
    return await _stored(tx, book, gift_card_id)


async def _stored(tx: Tx, book: Book, gift_card_id: UUID) -> Row:
    await store.store(tx, book)
    return await show(tx, gift_card_id)


async def expire_ended(tx: Tx, context: LoyaltyContext) -> int:
    """End cards whose time is over, some at a time; return how many there were."""
    now = context.clock.now()
    ended = await store.list_ended_cards(tx, now, limit=EXPIRY_CHUNK)
    book = Book("expiry", now, await store.lock_cards(tx, ended))
    for card in book.cards.values():
        # It may have got money, and time with it, before it was locked.
        if card.expires_at is not None and card.expires_at <= now:
            gift_cards.expire(book, card)
    await store.store(tx, book)
    return len(ended)
