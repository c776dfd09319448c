"""What a basket would earn, rule by rule; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import approvals, considered, explain, occasions, settle
from services.loyalty.domain.caps import Claim, Grant, Period
from services.loyalty.domain.considered import NOBODY, Considered, Who
from services.loyalty.domain.explain import ExplainedLine
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.settle import Settlement
from services.loyalty.handlers import challenges, programmes
from services.loyalty.handlers.challenges import Ahead, Sale
from services.loyalty.store import birthdays, members, reads
from services.loyalty.store import programmes as store
from shared import identity, ids
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A line, as ``domain.receipts.Line`` has it."""

    line_no: int
    sku: str
    category: str | None
    quantity_milli: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReceiptNumber:
    """What makes a receipt the one that it is."""

    terminal_id: str
    business_date: date
    receipt_no: str


@dataclass(frozen=True, slots=True)
class Basket:
    """A receipt, as ``domain.receipts.Receipt`` has it, and whose it is."""

    currency: str
    occurred_at: datetime
    store_id: str
    sales_channel: str
    member: tuple[str, str] | None
    """(kind, value) as it was scanned or typed."""
    total_minor: int
    lines: Sequence[BasketLine]
    number: ReceiptNumber | None = None
    clock_suspect: bool = False

    @property
    def identified_by(self) -> str | None:
        return self.member[0] if self.member else None

    @property
    def receipt_id(self) -> UUID:
        """Return its id; without a number it is the last one of its instant."""
        if self.number is None:
            return UUID(int=2**128 - 1)
        number = self.number
        return ids.receipt_id(
            self.store_id, number.terminal_id, number.business_date, number.receipt_no
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What it would earn; ``version`` is None where no rules were in force for it."""

    version: str | None
    member_id: UUID | None
    points: int
    desired_points: int
    capped_by: str | None
    qualifying_minor: int
    value_minor: int
    lines: tuple[ExplainedLine, ...]
    rules: list[Considered]
    needs_approval: bool
    challenges: list[Ahead] | None
    """None where nobody is known to be the member."""


async def preview(tx: Tx, basket: Basket, version: str | None, context: LoyaltyContext) -> Preview:
    """Return what the ledger would post for this sale now, by a draft where one is named.

    With the tier that the member has now. Without a member it is what one without other receipts
    would get.
    """
    programme = await context.rules.follow(tx)
    member_id = await _member_of(tx, basket, context)
    who = await _look_at(tx, member_id, basket, programme)
    settled = settle.settle(basket, programme, birthday=who.birthday)
    if version is not None:
        # As if it were in force; the other receipts of the member keep what they are worth.
        tried = await programmes.load_version(tx, version, context)
        tried = replace(tried, effective_from=basket.occurred_at)
        programme = programme.with_versions([tried])
        settled = Settlement(0, 0, [], None)
        if basket.currency == programme.currency:
            settled = settle.settle_by(tried, basket, programme, birthday=who.birthday)
    settled = settled.at(programme.ladder.level_of(who.tier))
    grant = await _grant(tx, basket, member_id, settled=settled, programme=programme)
    ahead = None
    if member_id is not None:
        sale = Sale(basket.receipt_id, member_id, basket.occurred_at, settled)
        ahead = await challenges.ahead(tx, sale, programme)
    return Preview(
        version=settled.version.version if settled.version else None,
        member_id=member_id,
        points=grant.points,
        desired_points=settled.points,
        capped_by=grant.cap.rule if grant.cap else None,
        qualifying_minor=settled.qualifying_minor,
        value_minor=programme.value_minor(grant.points),
        lines=explain.explain_lines(settled.lines, settled.version, programme),
        rules=considered.consider(settled, grant, basket, programme.time_zone, who=who),
        needs_approval=approvals.needed(settled),
        challenges=ahead,
    )


async def _look_at(tx: Tx, member_id: UUID | None, basket: Basket, programme: Programme) -> Who:
    """Return who the member is: the tier as announced, and whether it is a birthday."""
    if member_id is None:
        return NOBODY
    born = (await birthdays.load_birth_dates(tx, [member_id])).get(member_id)
    day = basket.occurred_at.astimezone(programme.time_zone).date()
    account = await reads.load_account(tx, member_id)
    return Who(account.tier or "", occasions.birthday(born, day))


async def _member_of(tx: Tx, basket: Basket, context: LoyaltyContext) -> UUID | None:
    """Return whose basket it is; None where nobody is known by that yet."""
    if basket.member is None:
        return None
    kind, value = basket.member
    normal = identity.normalise(kind, value)
    if kind == "member_id":
        return UUID(normal)
    hmac = identity.identifier_hmac(context.identity_key, kind, normal)
    return await members.owner_of(tx, kind, hmac)


async def _grant(
    tx: Tx,
    basket: Basket,
    member_id: UUID | None,
    *,
    settled: Settlement,
    programme: Programme,
) -> Grant:
    """Return what the caps leave, behind the member's earlier receipts of the period."""
    if settled.version is None:
        return Grant(0, None)
    day = basket.occurred_at.astimezone(programme.time_zone).date()
    own = Claim(basket.occurred_at, basket.receipt_id, day, settled.points, settled.version.caps)
    period = Period()
    bounds = programme.period(day)
    if bounds is not None and member_id is not None:
        for row in await store.list_claims(tx, member_id, *bounds):
            rules = programme.by_name.get(row.programme_version or "")
            if rules is not None and row.receipt_id != own.receipt_id:
                that_day = row.occurred_at.astimezone(programme.time_zone).date()
                claim = Claim(row.occurred_at, row.receipt_id, that_day, row.desired, rules.caps)
                period.put(claim)
    return period.put(own)[own.receipt_id]
