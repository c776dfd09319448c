"""What a sale and a return are, and what a return leaves of its sale; pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal, TypeAlias
from uuid import UUID

from shared import ids
from shared.errors import Refused

LATE_AFTER = timedelta(hours=72)
REVIEW_AFTER = timedelta(days=7)
BUSINESS_DAYS_APART_MAX = 1
CLOCK_AHEAD_MAX = timedelta(minutes=5)
QUANTITY_MILLI_MAX = 1_000_000_000
CLAIM_BYTES = 12

_QUANTITY = re.compile(r"(\d{1,7})(?:\.(\d{1,3})0*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """What the till prints on a receipt: its natural key, valid for ever."""

    store_id: str
    terminal_id: str
    business_date: date
    receipt_no: str

    @property
    def receipt_id(self) -> UUID:
        """Return the id of the sale with this key."""
        return ids.receipt_id(self.store_id, self.terminal_id, self.business_date, self.receipt_no)

    @property
    def return_id(self) -> UUID:
        """Return the id of the return with this key: not that of a sale with the same one."""
        return return_id(self.receipt_id)


def return_id(receipt_id: UUID) -> UUID:
    """Return the id of the return whose number, were it a sale's, would give ``receipt_id``."""
    return ids.derived_id(receipt_id, "return")


def void_id(receipt_id: UUID) -> UUID:
    """Return the id of the one void that a sale can have."""
    return ids.derived_id(receipt_id, "void")


def amendment_id(receipt_id: UUID, amendment: int) -> UUID:
    """Return the id of a sale's correction number ``amendment`` (from 2 on)."""
    return ids.derived_id(receipt_id, "amendment", amendment)


def claim_id(receipt_id: UUID) -> UUID:
    """Return the id of the one claim that a sale can have."""
    return ids.derived_id(receipt_id, "claim")


@dataclass(frozen=True, slots=True)
class Identifier:
    """How a member was recognised: the kind, and the keyed hash of the normal form (hex)."""

    kind: str
    hmac: str


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase as one till sent it, with what ingest fixed about it once and for ever.

    ``facts`` is the JSON object of what the receipt says, in one fixed order of fields and
    lines: equal receipts have equal facts, byte by byte.
    """

    receipt_id: UUID
    event_id: UUID
    key: ReceiptKey
    terminal_seq: int | None
    identifier: Identifier | None
    total_minor: int
    occurred_at: datetime
    received_at: datetime
    facts: bytes
    body_sha256: bytes
    """From ``canonical_hash``: tells a repeat from a conflict."""
    imported: bool = False
    """Taken over from another system: history, which can not be late."""
    traceparent: str | None = None
    """The request's trace, where one is kept: many requests share a commit."""

    @property
    def late(self) -> bool:
        """Whether it arrived more than 72 hours after the sale."""
        return not self.imported and self.received_at - self.occurred_at > LATE_AFTER

    @property
    def clock_suspect(self) -> bool:
        """Whether the till's clock was ahead of ours, or of its own day of business.

        Ahead: by more than five minutes. The day: as the till wrote the time, in its own offset,
        so that a clock change is no matter, nor a shop that closes after midnight.
        """
        apart = abs((self.occurred_at.date() - self.key.business_date).days)
        ahead = self.occurred_at - self.received_at > CLOCK_AHEAD_MAX
        return ahead or apart > BUSINESS_DAYS_APART_MAX

    def needs_review(self, after: timedelta) -> bool:
        """Whether it came so long ``after`` the sale that people decide on it."""
        return not self.imported and self.received_at - self.occurred_at > after


ChangeKind = Literal["return", "void", "amendment", "claim"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the sale ``sale_id`` after it: goods came back, it was undone, corrected.

    ``facts`` is the JSON of what the till said, canonical as a sale's. ``sale_id`` is None for
    a return that names no sale; ``amendment`` is 0 but for amendments.
    """

    change_id: UUID
    kind: ChangeKind
    sale_id: UUID | None
    amendment: int
    body_sha256: bytes
    store_id: str
    terminal_id: str
    terminal_seq: int | None
    occurred_at: datetime
    """For an amendment, when the sale happened: it corrects what is said of that moment."""
    received_at: datetime
    facts: str

    @property
    def order(self) -> tuple[object, ...]:
        """Where it stands among the changes that wait for one sale.

        First what was sold is put right, then goods come back, and at last all is undone.
        """
        rank = ("amendment", "return", "void", "claim").index(self.kind)
        return rank, self.amendment, self.occurred_at, self.change_id


OutcomeKind = Literal["accepted", "replayed", "conflict"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one purchase or change."""

    kind: OutcomeKind
    event_id: UUID
    claim_token: str | None = None
    fields: tuple[str, ...] = ()
    """For a conflict: where the body differs from the one that was recorded."""
    changed: bool = True
    """False where the receipt was as the change wants it already."""


@dataclass(frozen=True, slots=True)
class LineAmount:
    """Quantity (thousandths) and money of one line: sold, left, or brought back."""

    line_no: int
    quantity_milli: int
    amount_minor: int


def canonical_hash(
    facts: bytes,
    *,
    occurred_at: datetime,
    terminal_seq: int | None = None,
    identifier: Identifier | None = None,
) -> bytes:
    """Return SHA-256 of the facts and of what stands beside them.

    Time counts as an instant: 14:05+01:00 and 13:05Z are the same body.
    """
    who = f"{identifier.kind}:{identifier.hmac}" if identifier else ""
    beside = f"|{occurred_at.timestamp():.6f}|{terminal_seq}|{who}"
    return hashlib.sha256(facts + beside.encode()).digest()


def claim_token(key: bytes, receipt_id: UUID) -> str:
    """Return the secret with which the holder of an unmatched receipt can claim it.

    Derived and not drawn, so that a till that lost the first answer gets the same token again
    although only its hash is stored.
    """
    return hmac.digest(key, b"claim:" + receipt_id.bytes, "sha256")[:CLAIM_BYTES].hex()


@lru_cache(maxsize=10_000)  # a shop's quantities are mostly the same few
def quantity_milli(text: str) -> int | None:
    """Return a decimal quantity in thousandths, or None where it is not one.

    Works on the digits, so 1.12 is 1120 exactly. At most three decimals count; zeros after
    them say nothing. From 0 to 1,000,000.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    milli = int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))
    return milli if milli <= QUANTITY_MILLI_MAX else None


Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"


def differing(recorded: Json, sent: Json, path: str = "") -> list[str]:
    """Return where two canonical bodies differ: the innermost fields, as ``lines.0.sku``."""
    if isinstance(recorded, Mapping) and isinstance(sent, Mapping):
        names = [*recorded, *(name for name in sent if name not in recorded)]
        prefix = f"{path}." if path else ""
        return [
            field
            for name in names
            for field in differing(recorded.get(name), sent.get(name), f"{prefix}{name}")
        ]
    if isinstance(recorded, list) and isinstance(sent, list) and len(recorded) == len(sent):
        return [
            field
            for index, (one, other) in enumerate(zip(recorded, sent, strict=True))
            for field in differing(one, other, f"{path}.{index}")
        ]
    return [] if recorded == sent else [path]


def as_sent(fields: Iterable[str]) -> tuple[str, ...]:
    """Return names of canonical fields as they are called in a request."""
    named = (
        "member" if field.startswith("member.") else field.replace("quantity_milli", "quantity")
        for field in fields
    )
    return tuple(dict.fromkeys(named))


def take_back(left: Sequence[LineAmount], returned: Iterable[LineAmount]) -> tuple[LineAmount, ...]:
    """Return what is left of a sale's lines after a return.

    Cumulative: ``left`` already lacks what earlier returns took, so ten returns of 1 leave the
    same as one return of 10. Raises ``Refused`` when a line is unknown or holds less than that.
    """
    net = {line.line_no: line for line in left}
    for line in returned:
        held = net.get(line.line_no)
        if held is None:
            raise _over_return(f"The sale has no line {line.line_no}.", left)
        if line.quantity_milli > held.quantity_milli or line.amount_minor > held.amount_minor:
            raise _over_return(f"Line {line.line_no} has less left than comes back.", left)
        net[line.line_no] = LineAmount(
            line.line_no,
            held.quantity_milli - line.quantity_milli,
            held.amount_minor - line.amount_minor,
        )
    return tuple(net.values())


def amend(
    sold: Iterable[LineAmount], left: Iterable[LineAmount], corrected: Sequence[LineAmount]
) -> tuple[LineAmount, ...]:
    """Return what is left of the corrected lines: what came back so far stays taken from them.

    ``sold`` and ``left`` are the lines before: their difference is what came back. Raises
    ``Refused`` where a corrected line is gone, or holds less than was taken from it.
    """
    remaining = {line.line_no: line for line in left}
    taken = {
        line.line_no: LineAmount(
            line.line_no,
            line.quantity_milli - remaining[line.line_no].quantity_milli,
            line.amount_minor - remaining[line.line_no].amount_minor,
        )
        for line in sold
    }
    net: list[LineAmount] = []
    for line in corrected:
        back = taken.pop(line.line_no, LineAmount(line.line_no, 0, 0))
        quantity_milli = line.quantity_milli - back.quantity_milli
        amount_minor = line.amount_minor - back.amount_minor
        if quantity_milli < 0 or amount_minor < 0:
            raise _below_return(back)
        net.append(LineAmount(line.line_no, quantity_milli, amount_minor))
    for back in taken.values():
        if back.quantity_milli or back.amount_minor:
            raise _below_return(back)
    return tuple(net)


def _below_return(back: LineAmount) -> Refused:
    quantity = as_quantity(back.quantity_milli)
    detail = (
        f"Of line {back.line_no}, {quantity} for {back.amount_minor} came back already: "
        "it can not be corrected to less."
    )
    return Refused("amendment_below_return", detail, status=409, returned=[_shown(back)])


def as_quantity(milli: int) -> str:
    """Write thousandths the way tills send quantities: 1120 is 1.12."""
    return f"{milli // 1000}.{milli % 1000:03d}".rstrip("0").rstrip(".")


def _over_return(detail: str, left: Sequence[LineAmount]) -> Refused:
    return Refused("over_return", detail, status=409, left=[_shown(line) for line in left])


def _shown(line: LineAmount) -> dict[str, object]:
    return {
        "line_no": line.line_no,
        "quantity": as_quantity(line.quantity_milli),
        "amount_minor": line.amount_minor,
    }
