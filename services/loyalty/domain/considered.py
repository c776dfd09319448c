"""Every rule of a version beside one receipt: what it gave, or why not, with the value seen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from services.loyalty.domain.bonuses import BIRTHDAYS, Bonus, clock
from services.loyalty.domain.caps import Grant
from services.loyalty.domain.conditions import EvaluationFailed
from services.loyalty.domain.facts import Facts
from services.loyalty.domain.programme import Version
from services.loyalty.domain.receipts import Line, Receipt
from services.loyalty.domain.settle import FIELDS_PER_LINE, RECEIPT, Settlement

Kind = Literal["base", "bonus", "excluded", "cap"]
Code = Literal[
    "no_line",
    "excluded",
    "store",
    "sales_channel",
    "identified_by",
    "tier",
    "birthday",
    "clock_suspect",
    "weekday",
    "hours",
    "minimum_spend",
    "minimum_quantity",
    "condition",
    "condition_failed",
    "lost",
    "not_reached",
]
SEEN_MAX = 1_000
"""Characters shown of what a condition saw."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule gave nothing, or nothing on those ``lines``; ``seen`` is what the receipt has."""

    code: Code
    words: str
    seen: str | int | None = None
    lines: tuple[int, ...] = ()


_NO_LINE = Reason("no_line", "No line of the receipt counts for it.")


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule; ``reasons`` are empty where it gave all that it could."""

    rule: str
    title: str
    kind: Kind
    applied: bool
    lines: tuple[int, ...] = ()
    """Where it applied; none for what a receipt earns as a whole, and for caps."""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Who:
    """The member at the time of the sale."""

    tier: str = ""
    """Empty for none."""
    birthday: int = 0
    """Whether it was one (``bonuses.BIRTHDAYS``)."""


NOBODY = Who()


@dataclass(frozen=True, slots=True)
class _Case:
    """One receipt beside the version that settled it."""

    version: Version
    receipt: Receipt
    zone: ZoneInfo
    facts: Facts
    who: Who
    given: Sequence[tuple[int, int]]
    """(line_no, mask of the rules that gave something there)"""
    earning: Sequence[Line]
    excluded: Sequence[Line]

    @property
    def at(self) -> datetime:
        """Return when it happened, where the programme lives."""
        return self.receipt.occurred_at.astimezone(self.zone)


def consider(
    settlement: Settlement, grant: Grant, receipt: Receipt, zone: ZoneInfo, *, who: Who = NOBODY
) -> list[Considered]:
    """Return every rule of the version that settled ``receipt``, in the order of the document.

    The settlement is the one for ``who``.
    """
    version = settlement.version
    if version is None:
        return []
    facts = Facts(receipt, version.lookups, zone, tier=who.tier)
    earning = facts.earning
    excludes = version.lookups.excludes
    excluded = [one for one in facts.kept if excludes(one.sku, one.category)]
    case = _Case(version, receipt, zone, facts, who, _given(settlement), earning, excluded)
    base, never = version.base, version.excluded
    return [
        _simple(base.rule, base.title, "base", earning),
        *(_bonus(case, place, bonus) for place, bonus in enumerate(version.bonuses)),
        *([_simple(never.rule, never.title, "excluded", excluded)] if never else []),
        *_caps(version, settlement, grant),
    ]


def _given(settlement: Settlement) -> list[tuple[int, int]]:
    flat = settlement.lines
    fields = [flat[at : at + FIELDS_PER_LINE] for at in range(0, len(flat), FIELDS_PER_LINE)]
    return [(number, mask) for number, _, mask, points in fields if number != RECEIPT or points]


def _simple(rule: str, title: str, kind: Kind, lines: Sequence[Line]) -> Considered:
    if lines:
        return Considered(rule, title, kind, applied=True, lines=_numbers(lines))
    return Considered(rule, title, kind, applied=False, reasons=(_NO_LINE,))


def _numbers(lines: Iterable[Line]) -> tuple[int, ...]:
    return tuple(one.line_no for one in lines)


def _bonus(case: _Case, place: int, bonus: Bonus) -> Considered:
    where = [number for number, mask in case.given if mask >> place & 1]
    shown = tuple(number for number in where if number != RECEIPT)
    for why_not in (_refused, _without_line):
        reasons = tuple(why_not(case, bonus))
        if reasons:
            break
    else:
        reasons = tuple(_lost(case, place, bonus))
    return Considered(bonus.rule, bonus.title, "bonus", bool(where), shown, reasons)


def _refused(case: _Case, bonus: Bonus) -> Iterator[Reason]:
    """Yield each condition on the receipt that does not hold."""
    receipt = case.receipt
    chosen: tuple[tuple[Code, str, frozenset[str], str], ...] = (
        ("store", "stores", bonus.stores, receipt.store_id),
        ("sales_channel", "sales channels", bonus.sales_channels, receipt.sales_channel),
        ("identified_by", "means", bonus.identified_by, receipt.identified_by or ""),
    )
    for code, what, wanted, seen in chosen:
        if wanted and seen not in wanted:
            named = ", ".join(sorted(wanted))
            yield Reason(code, f"Only for the {what} {named}; this is {seen or 'none'}.", seen)
    tier = case.who.tier
    if bonus.tiers and tier not in bonus.tiers:
        named = ", ".join(sorted(bonus.tiers))
        seen = f"this member is {tier}" if tier else "here is none"
        yield Reason("tier", f"Only for the tiers {named}; {seen}.", tier)
    if bonus.timed and receipt.clock_suspect:
        yield Reason("clock_suspect", "The till's clock can not be trusted for this receipt.")
    else:
        yield from _at_another_time(case.at, bonus)
        if bonus.birthday and not BIRTHDAYS[bonus.birthday] & case.who.birthday:
            when = "on" if bonus.birthday == "day" else "in the month of"
            yield Reason("birthday", f"Only {when} the member's birthday, as far as we know it.")
    yield from _below(case.facts, bonus)
    yield from _condition(case.facts, bonus)


def _at_another_time(at: datetime, bonus: Bonus) -> Iterator[Reason]:
    weekday, minute = at.isoweekday(), at.hour * 60 + at.minute
    if bonus.weekdays and weekday not in bonus.weekdays:
        named = ", ".join(WEEKDAYS[one - 1] for one in sorted(bonus.weekdays))
        seen = WEEKDAYS[weekday - 1]
        yield Reason("weekday", f"Only on {named}; this is a {seen}.", seen)
    if bonus.hours and not bonus.hours.contains(minute):
        words = f"Only from {bonus.hours}; this is at {clock(minute)}."
        yield Reason("hours", words, clock(minute))


def _below(facts: Facts, bonus: Bonus) -> Iterator[Reason]:
    spend, least = facts.spend_minor(), bonus.minimum_spend_minor
    if least > spend:
        words = f"Only from a spend of {least} in minor units; this is {spend}."
        yield Reason("minimum_spend", words, spend)
    quantity, least = facts.quantity_milli(bonus), bonus.minimum_quantity_milli
    if least > quantity:
        words = f"Only from a quantity of {least} thousandths; this is {quantity}."
        yield Reason("minimum_quantity", words, quantity)


def _condition(facts: Facts, bonus: Bonus) -> Iterator[Reason]:
    if bonus.when is None:
        return
    seen = "; ".join(f"{name} = {facts[name]!r}" for name in sorted(bonus.when.facts))
    seen = seen[:SEEN_MAX]
    try:
        if not bonus.when.holds(facts):
            yield Reason("condition", f"{bonus.when.text} is false.", seen)
    except EvaluationFailed as error:
        words = f"{bonus.when.text} gave no answer ({error}), so nothing is given."
        yield Reason("condition_failed", words, seen)


def _without_line(case: _Case, bonus: Bonus) -> Iterator[Reason]:
    """Say why no line counts for a rule whose conditions hold."""
    if any(bonus.names(one.sku, one.category) for one in case.earning):
        return
    never = [one for one in case.excluded if bonus.names(one.sku, one.category)]
    if never:
        words = "What counts for it earns nothing at all."
        yield Reason("excluded", words, lines=_numbers(never))
    else:
        yield _NO_LINE


def _lost(case: _Case, place: int, bonus: Bonus) -> Iterator[Reason]:
    """Say to which rules it lost, and on which lines."""
    counting = [one for one in case.earning if bonus.names(one.sku, one.category)]
    places = (RECEIPT,) if bonus.of_receipt else _numbers(counting)
    masks: dict[int, int] = {}
    for number, mask in case.given:
        masks[number] = masks.get(number, 0) | mask
    lost: dict[str, list[int]] = {}
    for number in places:
        mask = masks.get(number, 0)
        if not mask >> place & 1:
            winner = _winner(bonus, case.version.lookups.chosen(mask))
            lost.setdefault(winner, []).append(number)
    for winner, numbers in lost.items():
        shown = tuple(number for number in numbers if number != RECEIPT)
        yield Reason("lost", f"Lost to: {winner}.", winner, shown)


def _winner(bonus: Bonus, given: Sequence[Bonus]) -> str:
    exclusive = [one for one in given if one.stacking == "exclusive"]
    rivals = exclusive or [one for one in given if one.stacking == bonus.stacking]
    return " + ".join(one.title for one in rivals)


def _caps(version: Version, settlement: Settlement, grant: Grant) -> Iterator[Considered]:
    for cap in version.caps:
        if grant.cap is not None and grant.cap.rule == cap.rule:
            yield Considered(cap.rule, cap.title, "cap", applied=True)
            continue
        words = f"It leaves the {settlement.points} points of this receipt as they are."
        if grant.cap is not None:
            words = f"Another cap is narrower: {grant.cap.title}."
        reason = Reason("not_reached", words, settlement.points)
        yield Considered(cap.rule, cap.title, "cap", applied=False, reasons=(reason,))
