"""``POST /v1/returns``, ``/v1/voids`` and ``/v1/amendments``: what happens to a sale after it."""

from datetime import datetime
from typing import Annotated

import pydantic_core
from fastapi import APIRouter, Response
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from services.ingest import domain
from services.ingest.api import answers, bodies, fields, regions
from services.ingest.api.answers import Accepted
from services.ingest.api.depends import Ingest, Till
from services.ingest.context import IngestContext
from services.ingest.handlers import changes
from shared.db import Tx, run_unit
from shared.http.models import Request
from shared.http.raw import RawRoute

router = APIRouter(prefix="/v1", tags=["purchases"], route_class=RawRoute)


class ReceiptNumber(Request):
    """The natural key of a receipt."""

    store_id: fields.Code
    terminal_id: fields.Code
    receipt_no: fields.Code
    business_date: fields.BusinessDate

    @property
    def key(self) -> domain.ReceiptKey:
        """Return it as the domain's."""
        return domain.ReceiptKey(
            self.store_id, self.terminal_id, self.business_date, self.receipt_no
        )


class ReturnedLine(Request):
    """What comes back of one line of the sale."""

    line_no: fields.LineNo
    quantity_milli: fields.Quantity = Field(validation_alias="quantity")
    amount_minor: fields.Amount
    sku: fields.Code | None = Field(default=None, exclude_if=lambda sku: sku is None)
    """What it is, where the return names no sale that would say so."""
    category: fields.Label | None = Field(default=None, exclude_if=lambda told: told is None)


class Return(ReceiptNumber):
    """Goods that came back; a receipt of its own that names the original."""

    occurred_at: fields.Instant = Field(exclude=True)
    terminal_seq: fields.RunningNumber | None = Field(default=None, exclude=True)
    original: ReceiptNumber | None = None
    """The sale; without it the return is unlinked, which the shop's policy may refuse."""
    member: bodies.MemberReference | None = Field(default=None, exclude=True)
    """Who brings the goods back; kept with an unlinked return, otherwise the sale's counts."""
    currency: fields.Currency
    lines: Annotated[
        tuple[ReturnedLine, ...],
        Field(min_length=1, max_length=bodies.LINES_MAX),
        AfterValidator(bodies.in_order),
    ]
    total_minor: fields.Amount

    @field_validator("total_minor")
    @classmethod
    def _adds_up(cls, total_minor: int, info: ValidationInfo) -> int:
        if "lines" in info.data:
            amounts = [one.amount_minor for one in info.data["lines"]]
            bodies.check_sum("lines", amounts, total_minor)
        return total_minor

    def to_change(
        self, *, received_at: datetime, identifier: domain.Identifier | None = None
    ) -> domain.Change:
        """Return the change; its key is kept apart from that of a sale with the same number."""
        facts = self.__pydantic_serializer__.to_json(self)
        if self.original is None:
            facts = _beside(facts, "member", identifier)
        return domain.Change(
            change_id=self.key.return_id,
            kind="return",
            sale_id=self.original.key.receipt_id if self.original else None,
            amendment=0,
            body_sha256=domain.canonical_hash(
                facts, occurred_at=self.occurred_at, terminal_seq=self.terminal_seq
            ),
            store_id=self.store_id,
            terminal_id=self.terminal_id,
            terminal_seq=self.terminal_seq,
            occurred_at=self.occurred_at,
            received_at=received_at,
            facts=facts.decode(),
        )


class Void(ReceiptNumber):
    """The sale with this number, undone."""

    occurred_at: fields.Instant = Field(exclude=True)
    """When it was undone."""
    terminal_seq: fields.RunningNumber | None = Field(default=None, exclude=True)
    reason: fields.Text

    def to_change(self, *, received_at: datetime) -> domain.Change:
        """Return the change: a sale has one void."""
        facts = self.__pydantic_serializer__.to_json(self)
        return domain.Change(
            change_id=domain.void_id(self.key.receipt_id),
            kind="void",
            sale_id=self.key.receipt_id,
            amendment=0,
            body_sha256=domain.canonical_hash(
                facts, occurred_at=self.occurred_at, terminal_seq=self.terminal_seq
            ),
            store_id=self.store_id,
            terminal_id=self.terminal_id,
            terminal_seq=self.terminal_seq,
            occurred_at=self.occurred_at,
            received_at=received_at,
            facts=facts.decode(),
        )


class Amendment(Request):
    """The whole purchase again, put right; the highest revision counts."""

    revision: Annotated[int, Field(strict=True, ge=2, le=10_000)]
    """2 for the first correction; the purchase itself was 1."""
    terminal_seq: fields.RunningNumber | None = Field(default=None, exclude=True)
    """Of the amendment; the purchase keeps the one that it was recorded with."""
    reason: fields.Text
    purchase: bodies.Purchase
    """With the number, currency, time and member of the sale: these can not be corrected."""

    def to_change(
        self, *, received_at: datetime, identifier: domain.Identifier | None
    ) -> domain.Change:
        """Return the change: a sale has one correction of each revision."""
        said = self.purchase
        key = domain.ReceiptKey(
            said.store_id, said.terminal_id, said.business_date, said.receipt_no
        )
        facts = _beside(self.__pydantic_serializer__.to_json(self), "member", identifier)
        return domain.Change(
            change_id=domain.amendment_id(key.receipt_id, self.revision),
            kind="amendment",
            sale_id=key.receipt_id,
            amendment=self.revision,
            body_sha256=domain.canonical_hash(
                facts, occurred_at=said.occurred_at, terminal_seq=self.terminal_seq
            ),
            store_id=said.store_id,
            terminal_id=said.terminal_id,
            terminal_seq=self.terminal_seq,
            occurred_at=said.occurred_at,
            received_at=received_at,
            facts=facts.decode(),
        )


def _beside(facts: bytes, name: str, identifier: domain.Identifier | None) -> bytes:
    """Put a hashed identifier at the end of a JSON object: never the identifier itself."""
    told = {"kind": identifier.kind, "hmac": identifier.hmac} if identifier else None
    return facts[:-1] + f',"{name}":'.encode() + pydantic_core.to_json(told) + b"}"


@router.post("/returns", status_code=202, response_model=Accepted)
async def record_return(body: Return, caller: Till, context: Ingest) -> Response:
    """Take goods back from a sale, all or part; may be sent before the sale is."""
    caller.check_terminal(body.store_id, body.terminal_id)
    new = body.to_change(
        received_at=context.clock.now(),
        identifier=await _identified(body.member, body.store_id, context),
    )
    return await _taken(new, context)


@router.post("/voids", status_code=202, response_model=Accepted)
async def record_void(body: Void, caller: Till, context: Ingest) -> Response:
    """Undo a sale entirely; may be sent before the sale is."""
    caller.check_terminal(body.store_id, body.terminal_id)
    return await _taken(body.to_change(received_at=context.clock.now()), context)


@router.post("/amendments", status_code=202, response_model=Accepted)
async def record_amendment(body: Amendment, caller: Till, context: Ingest) -> Response:
    """Put a sale right; what came back of it stays taken. May be sent before the sale is."""
    said = body.purchase
    caller.check_terminal(said.store_id, said.terminal_id)
    new = body.to_change(
        received_at=context.clock.now(),
        identifier=await _identified(said.member, said.store_id, context),
    )
    return await _taken(new, context)


async def _identified(
    member: bodies.MemberReference | None, store_id: str, context: IngestContext
) -> domain.Identifier | None:
    if member is None:
        return None
    region = await regions.of_member(member, store_id, context)
    return bodies.identify(member, context.identity_key, region)


async def _taken(new: domain.Change, context: IngestContext) -> Response:
    async def unit(tx: Tx) -> domain.Outcome:
        return await changes.take(tx, new, context)

    return answers.accepted(await run_unit(context.db, unit), what=new.kind)
