"""Members: enrol, look up, show, change, recognise by one more identifier."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from services.loyalty.api.fields import Code, Ctx, IdentifierValue, Locale, Name, Zone
from services.loyalty.api.possession import AppCode
from services.loyalty.domain.members import Profile, mask, mask_name
from services.loyalty.handlers import enrol, erase, lookups
from services.loyalty.handlers.enrol import ConsentWish, Enrolment, Known
from shared import auth
from shared.auth import Caller
from shared.contracts.interactions import Purpose
from shared.contracts.messages import Channel
from shared.db import run_unit
from shared.errors import Malformed
from shared.http.idempotency import REPLAYED_HEADER
from shared.http.models import Request
from shared.http.names import bare

router = APIRouter(prefix="/v1", tags=["members"])

Desk = Annotated[Caller, Depends(auth.require("terminal", "app", "staff", "admin"))]
Office = Annotated[Caller, Depends(auth.require("app", "staff", "admin"))]


class IdentifierInput(Request):
    """What a member is recognised by."""

    kind: Literal["card", "phone", "email", "app_id"]
    value: IdentifierValue


class ConsentInput(Request):
    """What a person agreed to, and the wording that they were shown."""

    purpose: Purpose
    channel: Channel
    wording_id: Code
    wording_version: int = Field(default=1, ge=1, le=2**31 - 1)
    source: Code = "enrolment"


class EnrolmentInput(Request):
    """A new member."""

    external_id: Code | None = None
    identifiers: Annotated[tuple[IdentifierInput, ...], Field(max_length=20)] = ()
    name: Name | None = None
    email: IdentifierValue | None = None
    phone: IdentifierValue | None = None
    birth_date: date | None = None
    locale: Locale | None = None
    time_zone: Zone | None = None
    home_store: Code | None = None
    consents: Annotated[tuple[ConsentInput, ...], Field(max_length=50)] = ()
    referral_code: Code | None = None
    """Of the member who brought this one."""

    def profile(self) -> Profile:
        """Return what the member told about themselves."""
        return Profile(
            name=self.name,
            email=self.email,
            phone=self.phone,
            birth_date=self.birth_date,
            locale=self.locale,
            time_zone=self.time_zone,
            home_store=self.home_store,
        )


class ProfileInput(Request):
    """Changes of a profile; a field that is left out stays."""

    name: Name | None = None
    birth_date: date | None = None
    locale: Locale | None = None
    time_zone: Zone | None = None
    home_store: Code | None = None


class MaskedIdentifier(BaseModel):
    """An identifier as it may be shown."""

    kind: str
    masked: str


class MemberView(BaseModel):
    """A member. For terminals, name and contacts are masked and the birth date is left out."""

    member_id: UUID
    external_id: str | None
    status: str
    merged_into: UUID | None
    """Who took over from a member who is `merged`: the one to go on with."""
    version: int
    tier: str | None
    enrolled_at: datetime
    name: str | None
    email: str | None
    phone: str | None
    birth_date: date | None
    locale: str | None
    time_zone: str | None
    home_store: str | None
    identifiers: list[MaskedIdentifier]


class ErasedView(BaseModel):
    """What is left of a member who was erased."""

    member_id: UUID
    status: str
    version: int


class LookupQuery(Request):
    """Exactly one of these."""

    card: IdentifierValue | None = None
    phone: IdentifierValue | None = None
    email: IdentifierValue | None = None
    app_id: IdentifierValue | None = None
    external_id: Code | None = None
    app_code: AppCode | None = None


KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": MemberView, "description": "The same was said before; nothing is new."}
}


@router.post("/members", status_code=201, responses=KNOWN)
async def enrol_member(
    body: EnrolmentInput, caller: Desk, context: Ctx, response: Response
) -> MemberView:
    """Enrol a member. The same `external_id` with the same body answers with the same member."""
    request = _enrolment(body)
    known = await run_unit(context.db, lambda tx: enrol.enrol(tx, request, context))
    _say_replayed(response, known)
    return _view(known, caller)


@router.get("/members:lookup")
async def look_up_member(
    query: Annotated[LookupQuery, Query()], caller: Desk, context: Ctx
) -> MemberView:
    """Find a member by one identifier, or by the code that their app shows.

    A code stays good: it is used up by the hold that names it. Look-ups are limited per key.
    """
    given = query.model_dump(exclude_none=True)
    if len(given) != 1:
        errors = [{"field": "query", "message": "give exactly one identifier"}]
        raise Malformed("invalid_request", "Give exactly one identifier.", errors=errors)
    ((kind, value),) = given.items()
    lookups.count(caller, context)
    async with context.db.transaction() as tx:
        known = await lookups.look_up(tx, (kind, value), caller, context)
    return _view(known, caller)


@router.get(f"/members/{bare('member_id')}")
async def get_member(member_id: UUID, caller: Desk, context: Ctx) -> MemberView:
    """Return a member."""
    async with context.db.transaction() as tx:
        known = await enrol.get(tx, member_id)
    return _view(known, caller)


@router.patch(f"/members/{bare('member_id')}")
async def change_member(
    member_id: UUID, body: ProfileInput, caller: Office, context: Ctx
) -> MemberView:
    """Change a member's profile."""
    changes = body.model_dump(exclude_unset=True)
    known = await run_unit(
        context.db, lambda tx: enrol.change_profile(tx, member_id, changes, context)
    )
    return _view(known, caller)


@router.post("/members/{member_id}/identifiers", status_code=201, responses=KNOWN)
async def add_identifier(
    member_id: UUID, body: IdentifierInput, caller: Desk, context: Ctx, response: Response
) -> MemberView:
    """Recognise a member by one more identifier; receipts that carried it become theirs."""
    known = await run_unit(
        context.db,
        lambda tx: enrol.add_identifier(tx, member_id, (body.kind, body.value), context),
    )
    _say_replayed(response, known)
    return _view(known, caller)


@router.post("/members/{member_id}:erase")
async def erase_member(
    member_id: UUID, caller: Office, context: Ctx, response: Response
) -> ErasedView:
    """Delete who a member is, for good; the ledger stays, and leads to nobody.

    So are the members who were merged into this one. One of those alone is refused (409).
    """
    del caller
    member, before = await run_unit(context.db, lambda tx: erase.erase(tx, member_id, context))
    if before:
        response.headers[REPLAYED_HEADER] = "true"
    return ErasedView(member_id=member.member_id, status=member.status, version=member.version)


def _say_replayed(response: Response, known: Known) -> None:
    if known.replayed:
        response.status_code = 200
        response.headers[REPLAYED_HEADER] = "true"


def _enrolment(body: EnrolmentInput) -> Enrolment:
    return Enrolment(
        profile=body.profile(),
        identifiers=[(one.kind, one.value) for one in body.identifiers],
        external_id=body.external_id,
        consents=[ConsentWish(**consent.model_dump()) for consent in body.consents],
        referral_code=body.referral_code,
        # Without a code it is the same request as before there were any.
        body=body.model_dump(
            mode="json", exclude=None if body.referral_code else {"referral_code"}
        ),
    )


def _view(known: Known, caller: Caller) -> MemberView:
    member, profile = known.member, known.member.profile
    fields: dict[str, Any] = {
        "name": profile.name,
        "email": profile.email,
        "phone": profile.phone,
        "birth_date": profile.birth_date,
    }
    if caller.role == "terminal":
        fields = {
            "name": mask_name(profile.name),
            "email": mask("email", profile.email) if profile.email else None,
            "phone": mask("phone", profile.phone) if profile.phone else None,
            "birth_date": None,
        }
    return MemberView(
        member_id=member.member_id,
        external_id=member.external_id,
        status=member.status,
        merged_into=member.merged_into,
        version=member.version,
        tier=member.tier,
        enrolled_at=member.enrolled_at,
        locale=profile.locale,
        time_zone=profile.time_zone,
        home_store=profile.home_store,
        identifiers=[
            MaskedIdentifier(kind=one.kind, masked=one.masked) for one in known.identifiers
        ],
        **fields,
    )
