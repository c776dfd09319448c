"""What a receipt at its net state is worth; a pure function of receipt and programme."""

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.loyalty.domain import bonuses as rules
from services.loyalty.domain import challenges
from services.loyalty.domain.bonuses import PERCENT
from services.loyalty.domain.conditions import EvaluationFailed
from services.loyalty.domain.facts import Facts
from services.loyalty.domain.ladder import Returns, merged
from services.loyalty.domain.lookups import Lookups
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.receipts import (
    Line,
    Receipt,
    ReceiptRevision,
    RevisedReceipt,
    before,
)

FIELDS_PER_LINE = 4
"""A settlement's ``lines`` is flat: line_no, amount_minor, rules (a mask of the version's), points;
repeated. Behind the lines of the receipt come those of ``RECEIPT``."""
RECEIPT = 0
"""Stands for the receipt as a whole in place of a line_no: points that one rule gives once."""
FAILED = -1
"""In place of the amount of such a line: the rule's expression gave no answer, hence no points."""

__all__ = ["FAILED", "FIELDS_PER_LINE", "RECEIPT", "Line", "Receipt", "Settlement", "settle"]


class Settlement(NamedTuple):
    """What a receipt should have earned, and the arithmetic behind it."""

    points: int
    qualifying_minor: int
    lines: list[int]
    version: Version | None
    """The rules that were in force; None when there were none for this receipt."""
    counts: tuple[int, ...] = ()
    """What it adds to each of the version's challenges; empty where it adds to none."""
    by_level: tuple["Settlement", ...] = ()
    """What it is at each level of the programme's tiers; empty where it is the same at all."""

    def at(self, level: int) -> "Settlement":
        """Return what it is for a member of that level; one behind the last is the last."""
        return self.by_level[min(level, len(self.by_level) - 1)] if self.by_level else self

    @property
    def points_by_level(self) -> tuple[int, ...]:
        """Return the points at each level; empty where they are the same at all."""
        return tuple([one.points for one in self.by_level])


def settle(receipt: Receipt, programme: Programme, birthday: int = 0) -> Settlement:
    """Return what the net state of ``receipt`` is worth by the rules in force when it happened.

    ``birthday`` says whether it was the member's (``bonuses.BIRTHDAYS``).

    Rounding: each line once, down to whole points. So a part of a line that comes back takes
    back the difference between two such results, whatever the number of steps it took.
    """
    version = programme.in_force(receipt.occurred_at)
    if version is None or receipt.currency != programme.currency:
        return Settlement(0, 0, [], None)
    if version.lookups.personal:
        return settle_by(version, receipt, programme, birthday=birthday)
    return _settle(
        version, receipt, programme, version.lookups.open_to(receipt, programme.time_zone)
    )


def settle_by(
    version: Version, receipt: Receipt, programme: Programme, *, birthday: int = 0
) -> Settlement:
    """Return what the net state of ``receipt`` is worth by the rules of one version."""
    lookups = version.lookups
    open_ = lookups.open_to(receipt, programme.time_zone)
    if lookups.of_birthdays:
        open_ &= lookups.open_on(birthday)
    if not open_ & lookups.tiered:
        return _settle(version, receipt, programme, open_)
    known: dict[tuple[int, str], Settlement] = {}
    by_level: list[Settlement] = []
    for tier in ("", *(one.name for one in programme.tiers)):
        # Most levels open the same rules as the one below.
        case = open_ & lookups.open_at(tier), tier if lookups.by_fact else ""
        if case not in known:
            known[case] = _settle(version, receipt, programme, *case)
        by_level.append(known[case])
    lowest = by_level[0]
    if all(one == lowest for one in by_level):
        return lowest
    return lowest._replace(by_level=tuple(by_level))


def _settle(  # noqa: PLR0917  called for each receipt
    version: Version, receipt: Receipt, programme: Programme, open_: int, tier: str = ""
) -> Settlement:
    """Return what it is worth by the rules that are open to it."""
    # The hottest loop of the service: look-ups for each line, and one flat list for the
    # explanation. Conditions wait until a line counts for their rule.
    lookups = version.lookups
    by_category, by_sku, anywhere = lookups.by_category.get, lookups.by_sku, lookups.anywhere
    combinations, combine = lookups.combinations.get, lookups.combine
    divisor = programme.minor_per_unit * PERCENT
    waiting = open_ & lookups.deferred
    facts: Facts | None = None
    failed = once = total = qualifying = 0
    explained: list[int] = []
    for line in receipt.lines:
        amount = line.amount_minor
        if amount <= 0:
            continue
        mask = by_category(line.category, anywhere)
        if by_sku:
            mask |= by_sku.get(line.sku, 0)
        mask &= open_
        if mask & waiting and not mask & lookups.excluded:
            facts = facts or Facts(receipt, lookups, programme.time_zone, tier=tier)
            refused, without_answer = _refused(mask & waiting, lookups, facts)
            waiting &= ~mask
            open_ &= ~refused
            failed |= without_answer
            mask &= open_
        given, rate, qualifies, of_receipt = combinations(mask) or combine(mask)
        points = amount * rate // divisor
        total += points
        if qualifies:
            qualifying += amount
        once |= of_receipt
        explained += (line.line_no, amount, given, points)
    if once or failed:
        total += _of_receipt(once, failed, lookups, explained)
    counts = challenges.count(version.challenges, receipt, lookups) if version.challenges else ()
    return Settlement(total, qualifying, explained, version, counts)


def begins_at(
    receipt: ReceiptRevision, version: Version | None, day: date, zone: ZoneInfo
) -> datetime:
    """Return from when on the points of a sale on ``day`` can be spent, if nobody has a say."""
    # A till's clock may be ahead; what it sold can be spent at once all the same.
    sold_at = min(receipt.occurred_at, receipt.received_at)
    if version is None or version.pending is None:
        return sold_at
    complete = receipt.fulfilment == "complete"
    return version.pending.begins_at(day, zone, sold_at=sold_at, complete=complete)


def stays_from(receipt: ReceiptRevision, version: Version, begins_at: datetime) -> datetime | None:
    """Return from when on what comes back takes no points; None where it always takes them.

    Points that wait for goods are pending until these have come, whatever ``begins_at`` says.
    """
    if version.returns_take == "all" or receipt.voided:
        return None
    ordered = version.pending is not None and version.pending.fulfilment
    return max(begins_at, receipt.fulfilled_at or begins_at) if ordered else begins_at


def keep(
    net: Settlement,
    receipt: ReceiptRevision,
    programme: Programme,
    begins_at: datetime,
    *,
    birthday: int = 0,
) -> Settlement:
    """Return what a receipt is worth with the points that had begun when goods came back, and stay.

    ``net`` itself where there are none. What counts for tiers and challenges is net either way.
    """
    if net.version is None:
        return net
    since = stays_from(receipt, net.version, begins_at)
    if since is None or not any(one.at >= since for line in receipt.lines for one in line.returns):
        return net
    was = settle_by(net.version, before(receipt, since), programme, birthday=birthday)
    by_level = [
        net.at(level)._replace(points=was.at(level).points, lines=was.at(level).lines)
        for level in range(max(len(net.by_level), len(was.by_level)))
    ]
    return net._replace(points=was.points, lines=was.lines, by_level=tuple(by_level))


def came_back(
    receipt: RevisedReceipt, net: Settlement, programme: Programme, *, birthday: int = 0
) -> Returns:
    """Return what came off what counts for a tier, by time: the amount, and the points.

    The points are the difference between two settlements, before the return and after it, as for
    a member without a tier.
    """
    version = net.version
    times = sorted({one.at for line in receipt.lines for one in line.returns}, reverse=True)
    if version is None or not times:
        return ()
    lookups = version.lookups
    amounts = [
        (one.at, one.amount_minor)
        for line in receipt.lines
        if line.returns and not lookups.excludes(line.sku, line.category)
        for one in line.returns
    ]
    points: list[tuple[datetime, int]] = []
    after = net.points
    for at in times:
        worth = settle_by(version, before(receipt, at), programme, birthday=birthday).points
        points.append((at, worth - after))
        after = worth
    return merged(amounts, points)


def _refused(mask: int, lookups: Lookups, facts: Facts) -> tuple[int, int]:
    """Return which of the rules do not apply after all, and which of those gave no answer."""
    refused = failed = 0
    for bit, bonus in lookups.last:
        if not mask & bit:
            continue
        try:
            allowed = facts.allow(bonus)
        except EvaluationFailed:
            # Whoever can not say whether a bonus is due does not give it.
            allowed = False
            failed |= bit
        if not allowed:
            refused |= bit
    return refused, failed


def _of_receipt(mask: int, failed: int, lookups: Lookups, explained: list[int]) -> int:
    """Add what the receipt earns as a whole to the explanation; return its points."""
    given = rules.stack(lookups.chosen(mask), lambda one: one.points_per_receipt)
    for bonus in given:
        explained += (RECEIPT, 0, lookups.mask([bonus]), bonus.points_per_receipt)
    for bonus in lookups.chosen(failed):
        explained += (RECEIPT, FAILED, lookups.mask([bonus]), 0)
    return sum(bonus.points_per_receipt for bonus in given)
