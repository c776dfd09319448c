"""Conditions: what the engine answers, what it refuses, and that it always comes back."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain import conditions
from services.loyalty.domain.conditions import (
    EvaluationFailed,
    Mistake,
    WrongExpression,
    compile_condition,
)
from tests.cases import conditions as corpus
from tests.cases.conditions import FACTS

CORPUS = corpus.load()


@pytest.mark.parametrize("case", [pytest.param(one, id=one["when"]) for one in CORPUS])
def test_the_corpus_says_what_it_always_said(case: dict[str, Any]) -> None:
    condition = compile_condition(case["when"])
    if isinstance(case["says"], bool):
        assert condition.holds(FACTS) is case["says"]
    else:
        with pytest.raises(EvaluationFailed, match=rf"^{case['says']}"):
            condition.holds(FACTS)


def test_the_corpus_looks_at_every_fact() -> None:
    seen = {name for one in CORPUS for name in compile_condition(one["when"]).facts}

    assert seen == set(conditions.FACTS) == set(FACTS)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        pytest.param(
            "totl >= 5000",
            Mistake("undeclared reference to 'totl'", 1, 1, "totl >= 5000\n^"),
            id="unknown fact",
        ),
        pytest.param(
            "total_minor > 10 &&\n  store_id > 3",
            Mistake(
                "found no matching overload for '_>_' applied to '(string, int)'",
                2,
                12,
                "  store_id > 3\n           ^",
            ),
            id="wrong types, on the second line",
        ),
        pytest.param(
            "total_minor * 0.5 > 1.0",
            Mistake(
                "found no matching overload for '_*_' applied to '(int, double)'",
                1,
                13,
                "total_minor * 0.5 > 1.0\n            ^",
            ),
            id="fractions",
        ),
        pytest.param(
            "total_minor", Mistake("must be true or false, and is of type int"), id="no question"
        ),
        pytest.param("true" + " " * 2_000, Mistake("must have at most 2000 characters"), id="long"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, mistake: Mistake) -> None:
    with pytest.raises(WrongExpression) as told:
        compile_condition(text)

    assert told.value.mistakes == (mistake,)


def test_every_mistake_is_named() -> None:
    with pytest.raises(WrongExpression) as told:
        compile_condition("foo == 1 || bar == 2")

    assert [one.column for one in told.value.mistakes] == [1, 13]
    assert str(told.value) == (
        "undeclared reference to 'foo' (line 1, column 1); "
        "undeclared reference to 'bar' (line 1, column 13)"
    )


def test_what_a_condition_looks_at_is_known() -> None:
    condition = compile_condition('hour > 9 && categories.exists(day, day == "hour")')

    assert condition.facts == {"hour", "categories"}
    assert condition.timed
    assert not compile_condition("total_minor > 1").timed


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("skus.all(a, skus.all(b, skus.all(c, a != b || true)))", id="nested loops"),
        pytest.param("skus.map(a, skus.map(b, skus)).size() > 0", id="lists of lists"),
    ],
)
def test_a_condition_that_runs_long_is_stopped(text: str) -> None:
    condition = compile_condition(text)
    many = FACTS | {"skus": [f"sku-{number}" for number in range(500)]}
    began = time.perf_counter()

    with pytest.raises(EvaluationFailed, match="Iteration budget exceeded"):
        condition.holds(many)

    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("text", ["(" * 1_999, "!" * 1_999 + "true", "[" * 900 + "]" * 900])
def test_what_is_nested_deeply_is_refused(text: str) -> None:
    with contextlib.suppress(WrongExpression):
        assert compile_condition(text).holds(FACTS) in {True, False}


@given(
    st.text(alphabet=st.sampled_from("ab1.()[]{}!-<>=&|?: '\"\\\n\tétotal_minorhour,"), max_size=60)
)
def test_no_text_ends_the_process(text: str) -> None:
    with contextlib.suppress(WrongExpression, EvaluationFailed):
        compile_condition(text).holds(FACTS)
