"""What a member or a lot that another system had becomes here; a file may come twice.

An import adds what is not known and never changes what is: whatever a member has told us since is
newer than any file.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from uuid import UUID

from services.loyalty.domain.accounts import OPENING
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.members import Identifier, Member, Profile
from services.loyalty.domain.postings import Gift
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Arrival:
    """A member as another system knew them; identifiers in their normal form."""

    external_id: str | None
    profile: Profile
    identifiers: tuple[Identifier, ...]
    enrolled_at: datetime
    request_sha256: bytes


@dataclass(slots=True)
class Register:
    """The members that a chunk's rows may mean, and what becomes of them."""

    members: dict[UUID, Member]
    owners: dict[tuple[str, str], UUID]
    """(kind, hmac) → whose identifier that is."""
    identifiers: dict[UUID, tuple[Identifier, ...]]
    by_external_id: dict[str, UUID] = field(init=False)
    new: set[UUID] = field(default_factory=set[UUID])
    changed: set[UUID] = field(default_factory=set[UUID])
    added: list[tuple[UUID, Identifier]] = field(default_factory=list[tuple[UUID, Identifier]])

    def __post_init__(self) -> None:
        """Index what was loaded."""
        self.by_external_id = {
            one.external_id: one.member_id
            for one in self.members.values()
            if one.external_id is not None
        }

    def place(self, arrival: Arrival, new_id: UUID) -> tuple[UUID, bool]:
        """Take one arrival in: as ``new_id``, or as an addition to the member it already is.

        Returns whose it is and whether anything changed. Raises ``Refused`` where it is more than
        one member's, or that of one who left.
        """
        member_id = self._find(arrival)
        if member_id is None:
            self._enrol(arrival, new_id)
            return new_id, True
        return member_id, self._add(self.members[member_id], arrival)

    def _find(self, arrival: Arrival) -> UUID | None:
        carried = [(one.kind, self.owners.get((one.kind, one.hmac))) for one in arrival.identifiers]
        named = self.by_external_id.get(arrival.external_id or "")
        found = {owner for _, owner in [*carried, ("external_id", named)] if owner is not None}
        if not found:
            return None
        if len(found) > 1:
            raise _taken({kind for kind, owner in carried if owner not in {None, named}})
        member = self.members[found.pop()]
        if arrival.external_id and member.external_id not in {None, arrival.external_id}:
            raise _taken({kind for kind, owner in carried if owner is not None})
        if member.status != "active":
            detail = f"This member is {member.status}; an import brings nobody back."
            raise Refused("member_departed", detail, status=409)
        return member.member_id

    def _enrol(self, arrival: Arrival, member_id: UUID) -> None:
        self.members[member_id] = Member(
            member_id=member_id,
            version=1,
            status="active",
            enrolled_at=arrival.enrolled_at,
            profile=arrival.profile,
            external_id=arrival.external_id,
            request_sha256=arrival.request_sha256,
            imported=True,
        )
        self.identifiers[member_id] = ()
        self.new.add(member_id)
        self._link(member_id, arrival)

    def _add(self, member: Member, arrival: Arrival) -> bool:
        """Fill what is blank, add what they are not yet recognised by."""
        added = self._link(member.member_id, arrival)
        filled = replace(
            member,
            external_id=member.external_id or arrival.external_id,
            profile=_filled(member.profile, arrival.profile),
        )
        if filled != member:
            self.members[member.member_id] = filled
        elif not added:
            return False
        if member.member_id not in self.new:
            self.changed.add(member.member_id)
        return True

    def _link(self, member_id: UUID, arrival: Arrival) -> bool:
        if arrival.external_id is not None:
            self.by_external_id.setdefault(arrival.external_id, member_id)
        fresh = [one for one in arrival.identifiers if (one.kind, one.hmac) not in self.owners]
        for one in fresh:
            self.owners[one.kind, one.hmac] = member_id
            self.added.append((member_id, one))
        self.identifiers[member_id] += tuple(fresh)
        return bool(fresh)


def _filled(known: Profile, told: Profile) -> Profile:
    blank = {
        one.name: getattr(told, one.name)
        for one in fields(known)
        if getattr(known, one.name) is None
    }
    return replace(known, **blank)


def _taken(kinds: AbstractSet[str]) -> Refused:
    names = sorted(kinds)
    detail = f"Another member has this {' and this '.join(names)}."
    return Refused("identifier_taken", detail, fields=names)


@dataclass(frozen=True, slots=True)
class OpeningLot:
    """Points that another system owed a member.

    ``lot_id`` follows that system's reference, which may say who somebody is and is not kept.
    """

    lot_id: UUID
    member_id: UUID
    points: int
    earned_at: datetime
    expires_at: datetime

    def as_gift(self) -> Gift:
        """Return it as it is posted."""
        lot = Lot(self.member_id, self.lot_id, self.points, self.earned_at, self.expires_at)
        return Gift(lot, OPENING, "opening", self.lot_id, self.earned_at)


@dataclass(slots=True)
class Openings:
    """The lots of a chunk: which are known, and which are to be posted."""

    known: dict[UUID, OpeningLot]
    new: list[OpeningLot] = field(default_factory=list[OpeningLot])

    def open(self, lot: OpeningLot, *, now: datetime) -> bool:
        """Take one lot in; return False where it was there already.

        Raises ``Refused`` where its reference was used for other contents, or it is past its end.
        """
        before = self.known.get(lot.lot_id)
        if before is not None:
            differing = [
                one.name
                for one in fields(lot)
                if getattr(lot, one.name) != getattr(before, one.name)
            ]
            if differing:
                detail = "A lot with this reference was brought over with other contents."
                raise Refused("lot_conflict", detail, fields=differing)
            return False
        if lot.expires_at <= now:
            detail = "These points have ended already."
            raise Refused("lot_expired", detail, status=409, fields=["expires_at"])
        self.known[lot.lot_id] = lot
        self.new.append(lot)
        return True
