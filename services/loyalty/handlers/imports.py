"""Members and lots of another system: a chunk is loaded, decided in memory, written, announced.

Handlers answer each row in order; whatever is refused of one leaves the others alone.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.imports import Arrival, OpeningLot, Openings, Register
from services.loyalty.domain.members import Identifier, Member, Profile, mask
from services.loyalty.handlers import announce, books, member_events
from services.loyalty.handlers.enrol import ConsentWish
from services.loyalty.store import imports as store
from services.loyalty.store.imports import Wanted
from shared import identity, ids
from shared.contracts.interactions import Consent, ConsentEvidence
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import PerennialError, Refused
from shared.imports.kinds import Outcome


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """What a person agreed to elsewhere; without a time of its own, as they enrolled."""

    wish: ConsentWish
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as a file has them; ``identifiers`` are (kind, value) as they were written."""

    external_id: str | None
    profile: Profile
    identifiers: Sequence[tuple[str, str]]
    enrolled_at: datetime | None
    consents: Sequence[GivenConsent]
    request_sha256: bytes


@dataclass(frozen=True, slots=True)
class LotRow:
    """An opening lot as a file has it; the member by (kind, value)."""

    reference: str
    member: tuple[str, str]
    points: int
    earned_at: datetime
    expires_at: datetime


async def take_members(tx: Tx, rows: Sequence[MemberRow], context: LoyaltyContext) -> list[Outcome]:
    """Enrol who is new, add to who is known; the same file again changes nothing."""
    now = context.clock.now()
    arrivals = [_arrival(row, context, now=now) for row in rows]
    good = [one for one in arrivals if isinstance(one, Arrival)]
    wanted = Wanted(
        external_ids={one.external_id for one in good if one.external_id is not None},
        identifiers={(each.kind, each.hmac) for one in good for each in one.identifiers},
    )
    register = await store.load_register(tx, wanted, lock=True)
    outcomes: list[Outcome] = []
    outgoing: list[Outgoing] = []
    for row, arrival in zip(rows, arrivals, strict=True):
        outcome, member = _place(register, arrival)
        outcomes.append(outcome)
        if member is not None:
            # Also of a row that changes nothing: its id lets everybody drop it the second time.
            outgoing += [
                member_events.consent_imported(_consent(member, one)) for one in row.consents
            ]
    touched = await _write(tx, register)
    states = [
        member_events.state(one, register.identifiers[one.member_id], at=now) for one in touched
    ]
    contacts = [member_events.contact(one, at=now) for one in touched]
    await outbox.append(tx, [*states, *contacts, *outgoing])
    return outcomes


def _arrival(row: MemberRow, context: LoyaltyContext, *, now: datetime) -> Arrival | PerennialError:
    try:
        listed = {(kind, identity.normalise(kind, value)) for kind, value in row.identifiers}
        email = _contact("email", row.profile.email, listed)
        phone = _contact("phone", row.profile.phone, listed)
    except PerennialError as error:
        return error
    contacts = {("email", email), ("phone", phone)}
    normal = sorted(listed | {(kind, value) for kind, value in contacts if value is not None})
    return Arrival(
        external_id=row.external_id,
        profile=replace(row.profile, email=email, phone=phone),
        identifiers=tuple(_identifier(context, kind, value) for kind, value in normal),
        enrolled_at=min(row.enrolled_at or now, now),
        request_sha256=row.request_sha256,
    )


def _contact(kind: str, given: str | None, listed: AbstractSet[tuple[str, str]]) -> str | None:
    """Return a contact in its normal form; an identifier may be the only one given."""
    if given is not None:
        return identity.normalise(kind, given)
    return min((value for one, value in listed if one == kind), default=None)


def _identifier(context: LoyaltyContext, kind: str, normal: str) -> Identifier:
    hmac = identity.identifier_hmac(context.identity_key, kind, normal)
    return Identifier(kind, hmac, mask(kind, normal))


def _place(register: Register, arrival: Arrival | PerennialError) -> tuple[Outcome, Member | None]:
    if isinstance(arrival, PerennialError):
        return arrival, None
    try:
        member_id, changed = register.place(arrival, ids.new_id())
    except Refused as refusal:
        return refusal, None
    return ("applied" if changed else "unchanged"), register.members[member_id]


async def _write(tx: Tx, register: Register) -> list[Member]:
    """Write who is new or changed, and return them with their new versions."""
    for member_id in register.changed:
        member = register.members[member_id]
        register.members[member_id] = replace(member, version=member.version + 1)
    new = [register.members[one] for one in sorted(register.new)]
    changed = [register.members[one] for one in sorted(register.changed)]
    await store.insert_members(tx, new)
    await store.update_members(tx, changed)
    await store.insert_identifiers(tx, register.added)
    return new + changed


def _consent(member: Member, given: GivenConsent) -> Consent:
    wish = given.wish
    return Consent(
        member_id=member.member_id,
        purpose=wish.purpose,
        channel=wish.channel,
        evidence=ConsentEvidence(
            wording_id=wish.wording_id,
            wording_version=wish.wording_version,
            source=wish.source,
            recorded_at=given.recorded_at or member.enrolled_at,
        ),
    )


async def take_lots(tx: Tx, rows: Sequence[LotRow], context: LoyaltyContext) -> list[Outcome]:
    """Post opening lots, each once by its reference; its entries balance and say what it is."""
    named = [_named(row, context) for row in rows]
    register = await store.load_register(tx, _wanted(named))
    found = [
        one if isinstance(one, PerennialError) else _lot(row, one, register)
        for row, one in zip(rows, named, strict=True)
    ]
    wanted = [one for one in found if isinstance(one, OpeningLot)]
    if not wanted:
        return [one for one in found if isinstance(one, PerennialError)]
    now = context.clock.now()
    members = await books.lock(tx, {one.member_id for one in wanted}, context)
    # After the lock: whoever posts the same lot waits for it, too.
    openings = Openings(await store.load_openings(tx, {one.lot_id for one in wanted}))
    outcomes: list[Outcome] = [_open(openings, one, now=now) for one in found]
    book = books.open_book(members, context)
    await store.append_openings(tx, openings.new)
    gifts = [one.as_gift() for one in openings.new]
    closed = await books.write(tx, Batch(book, now, gifts))
    await announce.on_ledger(tx, book, closed)
    return outcomes


_Named = tuple[str, str] | PerennialError
"""A member by (kind, normal form or hash)."""


def _named(row: LotRow, context: LoyaltyContext) -> _Named:
    kind, value = row.member
    if kind == "external_id":
        return kind, value
    try:
        normal = identity.normalise(kind, value)
    except PerennialError as error:
        return error
    if kind == "member_id":
        return kind, normal
    return kind, identity.identifier_hmac(context.identity_key, kind, normal)


def _wanted(named: Sequence[_Named]) -> Wanted:
    known_by = [one for one in named if not isinstance(one, PerennialError)]
    return Wanted(
        external_ids={value for kind, value in known_by if kind == "external_id"},
        identifiers={one for one in known_by if one[0] not in {"external_id", "member_id"}},
        member_ids={UUID(value) for kind, value in known_by if kind == "member_id"},
    )


def _lot(row: LotRow, named: tuple[str, str], register: Register) -> OpeningLot | PerennialError:
    kind, value = named
    member_id: UUID | None
    if kind == "external_id":
        member_id = register.by_external_id.get(value)
    elif kind == "member_id":
        member_id = UUID(value)
    else:
        member_id = register.owners.get((kind, value))
    member = register.members.get(member_id) if member_id else None
    if member is None or member.status != "active":
        return Refused("member_unknown", "There is no such member.", status=404, fields=[kind])
    return OpeningLot(
        lot_id=ids.lot_id(row.reference),
        member_id=member.member_id,
        points=row.points,
        earned_at=row.earned_at,
        expires_at=row.expires_at,
    )


def _open(openings: Openings, lot: OpeningLot | PerennialError, *, now: datetime) -> Outcome:
    if isinstance(lot, PerennialError):
        return lot
    try:
        return "applied" if openings.open(lot, now=now) else "unchanged"
    except Refused as refusal:
        return refusal
