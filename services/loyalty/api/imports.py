"""Members and opening lots that a shop brings along from the system it had before."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from services.loyalty.api.fields import Code, IdentifierValue
from services.loyalty.api.members import ConsentInput, EnrolmentInput
from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers import imports as handlers
from services.loyalty.handlers.enrol import ConsentWish
from services.loyalty.handlers.imports import GivenConsent, LotRow, MemberRow
from shared import imports
from shared.db import Tx
from shared.http.models import OneOf, Request
from shared.imports.kinds import Cells, Kind, values

POINTS_MAX = 1_000_000_000
REFERENCES = ("external_id", "card", "phone", "email", "app_id", "member_id")
PROFILE = ("external_id", "name", "email", "phone", "birth_date", "locale", "time_zone")
CONSENT = ("consent_email_at", "consent_sms_at", "consent_wording_id", "consent_wording_version")

Instant = Annotated[
    AwareDatetime,
    Field(ge=datetime(1990, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]


class ImportedConsent(ConsentInput):
    """What a person agreed to elsewhere, the wording they were shown, and when."""

    source: Code = "import"
    recorded_at: Instant | None = None
    """Without it, as they enrolled."""


class ImportedMember(EnrolmentInput):
    """A member: the body of an enrolment, and since when they are one."""

    enrolled_at: Instant | None = None
    # Bodies are frozen, so a narrower type is safe.
    consents: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]
        tuple[ImportedConsent, ...], Field(max_length=50)
    ] = ()

    @model_validator(mode="after")
    def _can_be_found_again(self) -> Self:
        if not (self.external_id or self.identifiers or self.email or self.phone):
            message = "must have an external_id or an identifier, to be recognised the next time"
            raise PydanticCustomError("member", message)
        return self

    def to_row(self) -> MemberRow:
        """Return the row as handlers take it."""
        return MemberRow(
            external_id=self.external_id,
            profile=self.profile(),
            identifiers=[(one.kind, one.value) for one in self.identifiers],
            enrolled_at=self.enrolled_at,
            consents=[_given(one) for one in self.consents],
            request_sha256=hashlib.sha256(self.model_dump_json().encode()).digest(),
        )


class MemberReference(OneOf):
    """Whose it is: exactly one of these."""

    external_id: Code | None = None
    card: IdentifierValue | None = None
    phone: IdentifierValue | None = None
    email: IdentifierValue | None = None
    app_id: IdentifierValue | None = None
    member_id: UUID | None = None


class ImportedLot(Request):
    """Points that the member has left of what they earned there, with one expiry."""

    reference: Code
    """What the other system calls it; the same one again is the same lot."""
    member: MemberReference
    points: Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]
    earned_at: Instant
    expires_at: Instant

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.expires_at <= self.earned_at:
            raise PydanticCustomError("lot", "expires_at must be later than earned_at")
        return self

    def to_row(self) -> LotRow:
        """Return the row as handlers take it."""
        return LotRow(
            self.reference, self.member.one(), self.points, self.earned_at, self.expires_at
        )


def _given(one: ImportedConsent) -> GivenConsent:
    wish = ConsentWish(one.purpose, one.channel, one.wording_id, one.wording_version, one.source)
    return GivenConsent(wish, one.recorded_at)


def _member(records: Sequence[Cells]) -> Mapping[str, object]:
    cells = values(records[0], ("consent_wording_version",))
    body = {name: cells[name] for name in (*PROFILE, "home_store", "enrolled_at") if name in cells}
    kinds = [kind for kind in ("card", "app_id") if kind in cells]
    identifiers = [{"kind": kind, "value": cells[kind]} for kind in kinds]
    wording = {
        name: cells[f"consent_{name}"]
        for name in ("wording_id", "wording_version")
        if f"consent_{name}" in cells
    }
    consents = [
        {"purpose": "marketing", "channel": channel, "recorded_at": cells[column], **wording}
        for channel, column in (("email", "consent_email_at"), ("sms", "consent_sms_at"))
        if column in cells
    ]
    return body | {"identifiers": identifiers, "consents": consents}


def _lot(records: Sequence[Cells]) -> Mapping[str, object]:
    cells = values(records[0], ("points",))
    body = {name: value for name, value in cells.items() if name not in REFERENCES}
    return body | {"member": {name: cells[name] for name in REFERENCES if name in cells}}


async def _take_members(
    tx: Tx, rows: Sequence[ImportedMember], context: LoyaltyContext
) -> list[imports.Outcome]:
    return await handlers.take_members(tx, [row.to_row() for row in rows], context)


async def _take_lots(
    tx: Tx, rows: Sequence[ImportedLot], context: LoyaltyContext
) -> list[imports.Outcome]:
    return await handlers.take_lots(tx, [row.to_row() for row in rows], context)


MEMBERS = Kind(
    name="members",
    row=ImportedMember,
    columns=(*PROFILE, "card", "app_id", "home_store", "enrolled_at", *CONSENT),
    required=(),
    body=_member,
    apply=_take_members,
)
LOTS = Kind(
    name="lots",
    row=ImportedLot,
    columns=("reference", *REFERENCES, "points", "earned_at", "expires_at"),
    required=("reference", "points", "earned_at", "expires_at"),
    body=_lot,
    apply=_take_lots,
)
KINDS = (MEMBERS, LOTS)
router = imports.routes(KINDS)
STREAMED = {imports.path(kind.name): imports.BYTES_MAX for kind in KINDS}
