"""Conditions that a marketer writes: CEL expressions over what a receipt says of itself.

The engine (the C++ one of cel-expr) stays behind this file. An expression is checked for its types
when a version of the rules is loaded or saved, sees nothing but ``FACTS``, and can neither loop for
long (the engine stops it after some 10,000 steps) nor read a clock. All numbers are whole: amounts
in minor units, quantities in thousandths, so that nothing is ever rounded in an expression.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, cast

from cel_expr_python import cel

LENGTH_MAX = 2_000
"""Characters of an expression."""

_STRINGS = cel.Type.List(cel.Type.STRING)
_AMOUNTS = cel.Type.Map(cel.Type.STRING, cel.Type.INT)

FACTS: Mapping[str, cel.Type] = {
    "total_minor": cel.Type.INT,  # of the receipt
    "spend_minor": cel.Type.INT,  # the same without what is excluded
    "line_count": cel.Type.INT,
    "store_id": cel.Type.STRING,
    "sales_channel": cel.Type.STRING,
    "identified_by": cel.Type.STRING,  # "" where by nothing
    "tier": cel.Type.STRING,  # held just before the sale; "" for none
    "weekday": cel.Type.INT,  # 1 is Monday, 7 is Sunday
    "hour": cel.Type.INT,  # 0 to 23, where the programme lives
    "day": cel.Type.INT,  # of the month
    "month": cel.Type.INT,
    "categories": _STRINGS,  # each once, of the lines that were kept
    "skus": _STRINGS,
    "category_minor": _AMOUNTS,  # category → what was paid in it
    "sku_milli": _AMOUNTS,  # sku → thousandths of the sales unit
}
TIMED = frozenset({"weekday", "hour", "day", "month"})
"""Facts that a till's clock decides."""

_FOUND = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong with an expression; ``line`` and ``column`` count from 1."""

    message: str
    line: int | None = None
    column: int | None = None
    caret: str | None = None
    """The line of the expression, and below it a caret where the mistake is."""


class WrongExpression(ValueError):
    """An expression that is not accepted; says all that is wrong with it."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(_in_one_line(one) for one in mistakes))
        self.mistakes = mistakes


class EvaluationFailed(Exception):
    """An expression that gave no answer for a receipt, such as a division by zero."""


class _Value(Protocol):
    def value(self) -> object: ...


class _Program(Protocol):
    def eval(self, *, data: Mapping[str, object]) -> _Value: ...
    def return_type(self) -> cel.Type: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was checked; ``facts`` are those that it looks at."""

    text: str
    facts: frozenset[str] = field(compare=False)
    _program: _Program = field(repr=False, compare=False)

    @property
    def timed(self) -> bool:
        """Whether the answer depends on the till's clock."""
        return not self.facts.isdisjoint(TIMED)

    @property
    def tiered(self) -> bool:
        """Whether the answer depends on the member's tier."""
        return "tier" in self.facts

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Return the answer for a receipt; raises ``EvaluationFailed`` where there is none."""
        seen = {name: facts[name] for name in self.facts}
        try:
            answer = self._program.eval(data=seen).value()
        except RuntimeError as error:
            raise EvaluationFailed(_plain(str(error))) from error
        # An evaluation that fails has an error for an answer.
        if not isinstance(answer, bool):
            raise EvaluationFailed(_plain(str(answer)))
        return answer


@lru_cache(maxsize=1_024)
def compile_condition(text: str) -> Condition:
    """Check an expression; raises ``WrongExpression`` with the place of each mistake."""
    if len(text) > LENGTH_MAX:
        raise WrongExpression((Mistake(f"must have at most {LENGTH_MAX} characters"),))
    program = _compiled(text, frozenset(FACTS))
    if program.return_type() != cel.Type.BOOL:
        kind = program.return_type().name().lower()
        raise WrongExpression((Mistake(f"must be true or false, and is of type {kind}"),))
    return Condition(text, frozenset(name for name in FACTS if _needs(text, name)), program)


def _needs(text: str, name: str) -> bool:
    """Whether an expression no longer compiles without a fact: the engine does not tell."""
    if name not in text:
        return False
    try:
        _compiled(text, frozenset(FACTS) - {name})
    except WrongExpression:
        return True
    return False


def _compiled(text: str, names: frozenset[str]) -> _Program:
    try:
        return cast("_Program", _environment(names).compile(text))
    except RuntimeError as error:
        raise WrongExpression(_mistakes(text, str(error))) from error


@lru_cache(maxsize=64)
def _environment(names: frozenset[str]) -> cel.Env:
    return cel.NewEnv(variables={name: FACTS[name] for name in sorted(names)})


def _mistakes(text: str, told: str) -> tuple[Mistake, ...]:
    found = [
        _mistake(text, int(line), int(column), message)
        for line, column, message in _FOUND.findall(told)
    ]
    return tuple(found) or (Mistake(_plain(told)),)


def _mistake(text: str, line: int, column: int, message: str) -> Mistake:
    message = _plain(message)
    lines = text.split("\n")
    if not (1 <= line <= len(lines) and column >= 1):
        return Mistake(message)
    shown = lines[line - 1].replace("\t", " ")
    return Mistake(message, line, column, f"{shown}\n{' ' * (column - 1)}^")


def _plain(told: str) -> str:
    """Return what the engine says without its status codes and without what it repeats of us."""
    return _STATUS.sub("", told.partition("\n")[0]).replace(" (in container '')", "").strip()


def _in_one_line(mistake: Mistake) -> str:
    if mistake.line is None:
        return mistake.message
    return f"{mistake.message} (line {mistake.line}, column {mistake.column})"
