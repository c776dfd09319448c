"""Enrol members, recognise them, add to what they are recognised by, change their profile."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import referrals
from services.loyalty.domain.members import Identifier, Member, Profile, mask
from services.loyalty.handlers import member_events
from services.loyalty.store import members
from services.loyalty.store import referrals as referral_store
from shared import identity, ids
from shared.contracts.interactions import Consent, ConsentEvidence, Purpose
from shared.contracts.messages import Channel
from shared.db import Tx, outbox
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class ConsentWish:
    """What a person agreed to while enrolling, and which wording they were shown."""

    purpose: Purpose
    channel: Channel
    wording_id: str
    wording_version: int
    source: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A request to enrol; ``identifiers`` are (kind, value) as they were typed or scanned."""

    profile: Profile
    identifiers: Sequence[tuple[str, str]]
    external_id: str | None
    consents: Sequence[ConsentWish]
    referral_code: str | None
    """Of who brought them."""
    body: Mapping[str, Any]
    """The whole request as JSON values, to tell a repetition from a contradiction."""


@dataclass(frozen=True, slots=True)
class Known:
    """A member with their identifiers; ``replayed`` when the same call had been made before."""

    member: Member
    identifiers: tuple[Identifier, ...]
    replayed: bool = False


async def enrol(tx: Tx, request: Enrolment, context: LoyaltyContext) -> Known:
    """Enrol; the same external id with the same body again answers with the same member."""
    now = context.clock.now()
    typed = _with_contacts(request)
    normal = {(kind, identity.normalise(kind, value)) for kind, value in typed}
    new = Member(
        member_id=ids.new_id(),
        version=1,
        status="active",
        enrolled_at=now,
        profile=_with_contact_identifiers(request.profile, normal),
        external_id=request.external_id,
        request_sha256=_fingerprint(request.body),
    )
    if request.external_id is not None:
        before = await members.load_by_external_id(tx, request.external_id)
        if before is not None:
            return await _replay(tx, before, new)
    if not await members.insert_member(tx, new):
        # Enrolled by a concurrent call between our look and our insert, which waited for it.
        before = await members.load_by_external_id(tx, request.external_id or "")
        if before is not None:
            return await _replay(tx, before, new)
    identifiers = [_identifier(context, kind, value) for kind, value in sorted(normal)]
    inserted = await members.insert_identifiers(tx, new.member_id, identifiers)
    _refuse_taken({one.kind for one in identifiers if (one.kind, one.hmac) not in inserted})
    if request.referral_code is not None:
        await _remember_referrer(tx, request.referral_code, new, context)
    outgoing = [
        member_events.state(new, identifiers, at=now),
        member_events.contact(new, at=now),
        *(
            member_events.consent_given(_consent(new, wish), ordinal)
            for ordinal, wish in enumerate(request.consents)
        ),
    ]
    await outbox.append(tx, outgoing)
    return Known(new, tuple(identifiers))


async def add_identifier(
    tx: Tx, member_id: UUID, typed: tuple[str, str], context: LoyaltyContext
) -> Known:
    """Give a member one more identifier; the same one again changes nothing."""
    kind, value = typed
    normal = identity.normalise(kind, value)
    new = _identifier(context, kind, normal)
    member = await locked(tx, member_id)
    if not await members.insert_identifiers(tx, member_id, [new]):
        if await members.owner_of(tx, kind, new.hmac) != member_id:
            _refuse_taken({kind})
        return await _known(tx, member, replayed=True)
    profile = _with_contact_identifiers(member.profile, {(kind, normal)})
    return await _change(tx, member, profile, context)


async def change_profile(
    tx: Tx, member_id: UUID, changes: Mapping[str, Any], context: LoyaltyContext
) -> Known:
    """Change the given fields of a member's profile."""
    member = await locked(tx, member_id)
    profile = replace(member.profile, **changes)
    if profile == member.profile:
        return await _known(tx, member)
    return await _change(tx, member, profile, context)


async def get(tx: Tx, member_id: UUID) -> Known:
    """Return a member; one who was erased is as if there were none."""
    member = await members.load(tx, member_id)
    if member is None or member.status == "erased":
        raise _unknown()
    return await _known(tx, member)


async def locked(tx: Tx, member_id: UUID) -> Member:
    """Return a member, locked for change; ``Refused`` as by ``active``."""
    return active(await members.load(tx, member_id, lock=True))


def active(member: Member | None) -> Member:
    """Return a member who can be changed: 404 for nobody, 409 naming who took over otherwise."""
    if member is None:
        raise _unknown()
    must_be_active(member.status, member.merged_into)
    return member


def must_be_active(status: str | None, merged_into: UUID | None) -> None:
    """Raise ``Refused`` for who can not be changed; ``status`` None is nobody's."""
    if status is None or status == "erased":
        raise _unknown()
    if merged_into is not None:
        raise departed(merged_into)


def departed(into_id: UUID) -> Refused:
    """Return the refusal of what is asked for a member who was merged into another."""
    detail = f"This member was merged into {into_id}."
    return Refused("member_departed", detail, merged_into=str(into_id))


async def lookup(tx: Tx, kind: str, value: str, context: LoyaltyContext) -> Known:
    """Return the member who is known by that identifier or external id."""
    if kind == "external_id":
        member = await members.load_by_external_id(tx, value)
        while member is not None and member.merged_into is not None:
            member = await members.load(tx, member.merged_into)
    else:
        wanted = _identifier(context, kind, identity.normalise(kind, value))
        member = await members.load_by_identifier(tx, wanted.kind, wanted.hmac)
    if member is None:
        raise _unknown()
    return await _known(tx, member)


async def _change(tx: Tx, member: Member, profile: Profile, context: LoyaltyContext) -> Known:
    now = context.clock.now()
    changed = replace(member, profile=profile, version=member.version + 1)
    await members.update_profile(tx, changed)
    known = await _known(tx, changed)
    await outbox.append(
        tx,
        [
            member_events.state(changed, known.identifiers, at=now),
            member_events.contact(changed, at=now),
        ],
    )
    return known


async def _known(tx: Tx, member: Member, *, replayed: bool = False) -> Known:
    found = await members.list_identifiers(tx, [member.member_id])
    return Known(member, found[member.member_id], replayed)


async def _remember_referrer(tx: Tx, code: str, new: Member, context: LoyaltyContext) -> None:
    """Remember who brought a new member; ``Refused`` (422) for nobody's code."""
    owner = await referral_store.load_owner(tx, referrals.normal(code))
    if owner is None:
        detail = "No member has this referral code."
        raise Refused("referral_code_unknown", detail, status=422, fields=["referral_code"])
    brought = referrals.begin(new.member_id, owner, context.programme, new.enrolled_at)
    if brought is None:
        detail = "The rules in force give nothing for new members."
        raise Refused("referral_not_offered", detail, status=422, fields=["referral_code"])
    await referral_store.append(tx, brought)


async def _replay(tx: Tx, before: Member, again: Member) -> Known:
    if before.request_sha256 != again.request_sha256:
        raise Refused(
            "identifier_taken",
            "This external_id belongs to a member who was enrolled with other details.",
            fields=["external_id"],
        )
    return await _known(tx, before, replayed=True)


def _with_contacts(request: Enrolment) -> list[tuple[str, str]]:
    """Phone and e-mail are both a way to reach a member and a way to recognise them."""
    contacts = [("email", request.profile.email), ("phone", request.profile.phone)]
    given = [(kind, value) for kind, value in contacts if value is not None]
    return [*request.identifiers, *given]


def _with_contact_identifiers(profile: Profile, normal: set[tuple[str, str]]) -> Profile:
    """Take contact details in their normal form; an identifier may be the only one given."""
    email = _contact(profile.email, "email", normal)
    phone = _contact(profile.phone, "phone", normal)
    return replace(profile, email=email, phone=phone)


def _contact(given: str | None, kind: str, normal: set[tuple[str, str]]) -> str | None:
    if given is not None:
        return identity.normalise(kind, given)
    return min((value for one, value in normal if one == kind), default=None)


def _identifier(context: LoyaltyContext, kind: str, normal: str) -> Identifier:
    hmac = identity.identifier_hmac(context.identity_key, kind, normal)
    return Identifier(kind, hmac, mask(kind, normal))


def _consent(member: Member, wish: ConsentWish) -> Consent:
    return Consent(
        member_id=member.member_id,
        purpose=wish.purpose,
        channel=wish.channel,
        evidence=ConsentEvidence(
            wording_id=wish.wording_id,
            wording_version=wish.wording_version,
            source=wish.source,
            recorded_at=member.enrolled_at,
        ),
    )


def _fingerprint(body: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()


def _refuse_taken(kinds: set[str]) -> None:
    if kinds:
        raise Refused(
            "identifier_taken",
            f"Another member has this {' and this '.join(sorted(kinds))}.",
            fields=sorted(kinds),
        )


def _unknown() -> Refused:
    return Refused("member_unknown", "There is no such member.", status=404)
