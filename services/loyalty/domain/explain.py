"""An entry in words: what earned the points, by which rule, with the arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.loyalty.domain import adjustments, notices
from services.loyalty.domain.accounts import DEBT, PENDING, REDEEMED
from services.loyalty.domain.approvals import Decision
from services.loyalty.domain.bonuses import PERCENT
from services.loyalty.domain.ladder import Measure
from services.loyalty.domain.notices import Notice
from services.loyalty.domain.postings import Move, Posting
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.settle import FAILED, FIELDS_PER_LINE, RECEIPT
from services.loyalty.domain.tier_reviews import TierChange, TierNotice
from services.loyalty.domain.why import Why

_BECAUSE: dict[str, str] = {
    "purchase": "Purchase",
    "return": "Goods came back",
    "void": "The receipt was voided",
    "amendment": "The receipt was corrected",
    "attribution": "The receipt was claimed",
    "moved_away": "The receipt belongs to another member",
    "correction": "The receipt has changed",
    "cap": "Another receipt under the same cap has changed",
    "opening": "Brought over from the previous programme",
    "hold": "Reserved for a purchase",
    "capture": "Spent",
    "release": "The reservation ended",
    "returned": "What they had paid for came back",
    "activation": "The points can be spent from now on",
    "expiry": "Ended unspent",
    "adjustment": "Corrected by hand",
    "merged_away": "Moved to the membership that took over",
    "merged_in": "Taken over from another membership",
    "loss": "There were not as many; the shop bears the rest",
    "approval": "Not approved",
    "tier": "The tier at the time of the sale is another one",
}
_BACK: dict[str, str] = {
    "merged_away": "Back from the membership that had taken over",
    "merged_in": "Given back to the other membership",
}
"""The same where it takes back, or gives back, what had been moved."""

_MEASURED: dict[Measure, str] = {"spend": "net spend", "visits": "visits", "points": "points"}
_LOST = "Not deserved any more"
_FEWER_ENDED = "Fewer points have ended than it seemed"
_LESS_BORNE = "There were more than it seemed; the shop bears less"
_WAITS = "The points can not be spent yet after all"
_OTHER_WAY: dict[tuple[Why, bool], str] = {
    ("expiry", True): _FEWER_ENDED,
    ("loss", False): _LESS_BORNE,
    ("capture", True): _BECAUSE["release"],  # what a capture in part leaves of the hold
    ("merged_away", True): _BACK["merged_away"],
    ("merged_in", False): _BACK["merged_in"],
}
"""Words for what goes the way that is unusual for its cause; True gives to the member."""


def money(minor: int, programme: Programme) -> str:
    """Return an amount in words, e.g. ``12.34 USD``."""
    if not programme.minor_digits:
        return f"{minor} {programme.currency}"
    sign = "−" if minor < 0 else ""
    units, rest = divmod(abs(minor), programme.minor_per_unit)
    return f"{sign}{units}.{rest:0{programme.minor_digits}} {programme.currency}"


def in_short(posting: Posting, programme: Programme) -> str:
    """Return one sentence about a posting, for messages."""
    change = posting.change
    worth, before = change.after.posted, change.before.posted
    capped = f" ({change.cap.title})" if change.cap else ""
    if change.why == "tier":
        because = _tier_now(change.after.level, change.after.version, programme)
        return f"{because}: now worth {worth} points{capped}, {before} were posted before."
    if not before:
        spent = money(change.after.qualifying_minor, programme)
        return f"{_BECAUSE[change.why]}: {worth} points for {spent}{capped}."
    return f"{_BECAUSE[change.why]}: now worth {worth} points{capped}, {before} were posted before."


def move_in_short(move: Move, programme: Programme) -> str:
    """Return one sentence about any other movement, for messages."""
    moved = sum(leg.points for leg in move.legs)
    if move.reason is not None:
        return _corrected(move.points, move.reason)
    if move.rule is not None:
        version = programme.by_name.get(move.programme_version or "")
        return f"{_awarded(move.points, move.rule, version)}: {moved} points."
    if move.reward_id is not None:
        version = programme.by_name.get(move.programme_version or "")
        return f"{_of_reward(move.reward_id, version)}{_BECAUSE[move.why]}: {moved} points."
    if move.why == "capture":
        moved = sum(leg.points for leg in move.legs if leg.to_account == REDEEMED)
        worth = money(programme.value_minor(moved), programme)
        return f"{_BECAUSE[move.why]}: {moved} points, worth {worth}."
    if move.why == "expiry" and move.points > 0:
        return f"{_FEWER_ENDED}: {moved} points are back."
    if move.waits:
        return f"{_WAITS}: {moved} points."
    if move.why == "loss" and move.points < 0:
        return f"{_LESS_BORNE}: {moved} points."
    return f"{_BECAUSE[move.why]}: {moved} points."


def passage(why: Why, points: int) -> str:
    """Return one sentence about all that a merge, or what came late, moved at one member."""
    usual = points < 0 if why == "merged_away" else points >= 0
    because = _BECAUSE[why] if usual else _BACK[why]
    return f"{because}: {abs(points)} points."


def ending_in_short(notice: Notice, programme: Programme) -> str:
    """Return one sentence about points that are about to end, for messages."""
    worth = money(programme.value_minor(notice.points), programme)
    until = notices.last_day(notice, programme)
    return f"{notice.points} points, worth {worth}, can be spent until {until}."


def decided(decision: Decision, begins_at: datetime | None, programme: Programme) -> str:
    """Return one sentence about what was decided on a receipt that waited, for messages.

    ``begins_at`` is from when on its points can be spent; None where goods are still to come.
    """
    if decision.verdict == "rejected":
        return f"The receipt was not approved: it does not give its {decision.points} points."
    approved = f"The receipt was approved: {decision.points} points"
    if begins_at is None:
        return f"{approved}, to be spent once all of the order has come."
    if begins_at <= decision.decided_at:
        return f"{approved}."
    return f"{approved}, to be spent from {begins_at.astimezone(programme.time_zone):%Y-%m-%d} on."


def tier_reason(change: TierChange, programme: Programme) -> str:
    """Return one sentence about a change of tier."""
    spent = measured(change.counted, programme)
    if programme.tier_policy.rolling_months is not None:
        return f"In the last {programme.tier_policy.rolling_months} months: {spent}."
    measure = programme.tier_policy.measure
    return f"Best {_MEASURED[measure]} of {change.period - 1} and {change.period}: {spent}."


def tier_notice(notice: TierNotice, programme: Programme) -> str:
    """Return one sentence about a tier that will be lost, for messages."""
    last = programme.ladder.last_day(notice.falls_at)
    after = f"then comes {notice.falls_to}" if notice.falls_to else "then you have no tier"
    more = measured(notice.stay.missing, programme)
    return (
        f"{notice.tier} lasts until {last:%Y-%m-%d}, {after}. "
        f"{more} more by {notice.stay.last_day:%Y-%m-%d} would keep it."
    )


def measured(amount: int, programme: Programme) -> str:
    """Return what counts for a tier in words: money, or a number of visits or points."""
    if programme.tier_policy.measure == "spend":
        return money(amount, programme)
    unit = "point" if programme.tier_policy.measure == "points" else "visit"
    return f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One line of the receipt and what it is worth; ``line_no`` 0 is the receipt as a whole."""

    line_no: int
    amount_minor: int
    rules: tuple[str, ...]
    points_per_unit: int | None
    """None where it is no whole number, and where the points do not depend on an amount."""
    points_per_hundred_units: int | None
    points: int
    title: str
    words: str
    failed: bool = False
    """Whether the rule's expression gave no answer for this receipt."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An entry in words and as data."""

    words: str
    why: str
    programme_version: str | None
    worth: int
    desired_points: int
    capped_by: str | None
    posted_before: int
    lines: tuple[ExplainedLine, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an entry keeps of how it came about."""

    why: Why
    worth: int
    posted_before: int
    lines: Sequence[int]
    desired: int | None = None
    """What the receipt would be worth without the cap; None where it gets all."""
    cap: str | None = None
    level: int | None = None
    """Of the tiers, where another one was held at the sale than it had seemed."""
    about: str | None = None
    """The lot or hold, where it is not for a receipt."""
    reason: str | None = None
    """Of an adjustment: its code."""
    rule: str | None = None
    """Of an award: what it is for."""
    reward: str | None = None
    """Of a hold: the id of the reward that it takes."""


def explain(
    recorded: Recorded,
    points: int,
    version_name: str | None,
    programme: Programme,
    *,
    moved: tuple[str, str, int] | None = None,
) -> Explanation:
    """Render what was recorded with the entry by the titles of that version's rules.

    ``points`` is what the member got by it; ``moved`` says from which account to which it moved
    how many.
    """
    version = programme.by_name.get(version_name) if version_name else None
    lines = explain_lines(recorded.lines, version, programme)
    return Explanation(
        words=(
            _words(recorded, points, lines, programme, version=version)
            if recorded.about is None
            else _of_reward(recorded.reward, version)
            + _words_of_move(recorded, points, moved, version)
        )
        + ("" if recorded.why in {"merged_away", "loss"} else _owed(moved)),
        why=recorded.why,
        programme_version=version_name,
        worth=recorded.worth,
        desired_points=recorded.worth if recorded.desired is None else recorded.desired,
        capped_by=recorded.cap,
        posted_before=recorded.posted_before,
        lines=lines,
    )


def _words(
    recorded: Recorded,
    points: int,
    lines: Sequence[ExplainedLine],
    programme: Programme,
    *,
    version: Version | None,
) -> str:
    because = _BECAUSE.get(recorded.why, recorded.why)
    if recorded.why == "tier":
        because = _tier_now(recorded.level, version, programme)
    if recorded.why == "moved_away":
        return f"{because}: its {recorded.posted_before} points went with it."
    by_rules: dict[str, int] = {}
    for line in lines:
        if line.title:
            by_rules[line.title] = by_rules.get(line.title, 0) + line.points
    parts = [f"{title}: {total}" for title, total in by_rules.items()]
    if recorded.cap is not None:
        caps = {cap.rule: cap.title for cap in version.caps} if version else {}
        title = caps.get(recorded.cap, recorded.cap)
        parts.append(f"{title}: {recorded.worth} of {recorded.desired}")
    sum_of = f" ({'; '.join(parts)})" if parts else ""
    if not recorded.posted_before and recorded.why not in {"cap", "tier"}:
        return f"{because}: {points} points{sum_of}."
    return (
        f"{because}: the receipt is worth {recorded.worth} points{sum_of}, "
        f"{recorded.posted_before} had been posted, so {points:+d}."
    )


def _tier_now(level: int | None, version: Version | None, programme: Programme) -> str:
    """Return which tier was held at the sale, and the rules that ask for it."""
    name = programme.ladder.name(min(level or 0, len(programme.tiers))) or "none"
    rules = [one.title for one in version.bonuses if one.tiered] if version else []
    decides = f", which decides on {' + '.join(rules)}" if rules else ""
    return f"The tier at the time of the sale is now {name}{decides}"


def _words_of_move(
    recorded: Recorded,
    points: int,
    moved: tuple[str, str, int] | None,
    version: Version | None,
) -> str:
    if recorded.reason is not None:
        return _corrected(points, recorded.reason)
    because = _because(recorded, points, version)
    if recorded.why == "activation" and moved and moved[1] == PENDING:
        because = _WAITS
    if recorded.why == "merged_away" and moved and DEBT in moved[:2]:
        because = _BECAUSE[recorded.why] if points > 0 else _BACK[recorded.why]
        return f"{because}: a debt of {moved[2]} points."
    return f"{because}: {moved[2] if moved else abs(points)} points."


def _because(recorded: Recorded, points: int, version: Version | None) -> str:
    """Return why points moved; which way they went decides between two words for it."""
    why = recorded.why
    if recorded.rule is not None:
        return _awarded(points, recorded.rule, version)
    if why == "hold" and recorded.reward is not None:
        return "Reserved"
    if points and (why, points > 0) in _OTHER_WAY:
        return _OTHER_WAY[why, points > 0]
    return _BECAUSE.get(why, why)


def _of_reward(reward_id: str | None, version: Version | None) -> str:
    """Return which reward it is about, by the title that its version gives it."""
    if reward_id is None:
        return ""
    reward = version.reward(reward_id) if version else None
    return f"Reward: {reward.title if reward else reward_id}. "


def _owed(moved: tuple[str, str, int] | None) -> str:
    if moved and moved[1] == DEBT:
        return " What was owed is repaid first."
    if moved and moved[0] == DEBT:
        return " There were not as many, so the rest is owed."
    return ""


def _awarded(points: int, rule: str, version: Version | None) -> str:
    title = version.titles.get(rule, rule) if version else rule
    return title if points >= 0 else f"{_LOST}: {title}"


def _corrected(points: int, reason: str) -> str:
    return f"{_BECAUSE['adjustment']}: {points:+d} points, {adjustments.words(reason)}."


def explain_lines(
    settled: Sequence[int], version: Version | None, programme: Programme
) -> tuple[ExplainedLine, ...]:
    """Render a settlement's ``lines``; without its version there are but the numbers."""
    return tuple(
        _line(settled[at : at + FIELDS_PER_LINE], version, programme)
        for at in range(0, len(settled), FIELDS_PER_LINE)
    )


def _line(fields: Sequence[int], version: Version | None, programme: Programme) -> ExplainedLine:
    line_no, amount, mask, points = fields
    if line_no == RECEIPT:
        return _of_receipt(amount, mask, points, version)
    paid = money(amount, programme)
    if version is None:
        words = f"Line {line_no}: {paid}, {points} points."
        return ExplainedLine(line_no, amount, (), None, None, points, "", words)
    rules, title, rate = _applied(version, mask)
    per_unit, rest = divmod(rate, PERCENT)
    shown = f"{per_unit}.{rest:02}".rstrip("0") if rest else str(per_unit)
    words = (
        f"Line {line_no}: {paid} × {shown} per {programme.currency}"
        f" = {points} points, rounded down ({title})."
        if rate
        else f"Line {line_no}: {paid} earns nothing ({title})."
    )
    whole = None if rest else per_unit
    return ExplainedLine(line_no, amount, rules, whole, rate, points, title, words)


def _applied(version: Version, mask: int) -> tuple[tuple[str, ...], str, int]:
    """Return ids, title and rate of the rules that a line earned by."""
    lookups, base, excluded = version.lookups, version.base, version.excluded
    if excluded is not None and mask & lookups.excluded:
        return (excluded.rule,), excluded.title, 0
    bonuses = lookups.chosen(mask)
    extra = sum(one.adds(base.points_per_unit) for one in bonuses)
    title = " + ".join(one.title for one in bonuses) or base.title
    rules = (base.rule, *(one.rule for one in bonuses))
    return rules, title, base.points_per_unit * PERCENT + extra


def _of_receipt(amount: int, mask: int, points: int, version: Version | None) -> ExplainedLine:
    bonuses = version.lookups.chosen(mask) if version else []
    title = " + ".join(one.title for one in bonuses)
    failed = amount == FAILED
    said = "gave no answer, so it gives nothing" if failed else f"{points} points"
    words = f"The receipt: {title or 'a rule'}: {said}."
    rules = tuple(one.rule for one in bonuses)
    return ExplainedLine(RECEIPT, 0, rules, None, None, points, title, words, failed=failed)
