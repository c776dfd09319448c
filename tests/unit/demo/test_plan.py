"""The plan: deterministic, in time order, and its totals add up."""

from datetime import date

import pytest

from demo import data, plan
from demo.plan import Call, Enrolment, Upload


@pytest.fixture(scope="module")
def sample() -> data.Sample:
    """Load eighty households over eight weeks: enough for every mishap."""
    return data.load(households=80, weeks=8, today=date(2026, 11, 22))


@pytest.fixture(scope="module")
def made(sample: data.Sample) -> plan.Plan:
    """Make its plan."""
    return plan.make(sample)


def test_every_basket_is_sent_by_one_call(sample: data.Sample, made: plan.Plan) -> None:
    sales = [call for call in plan.calls(made) if call.path == "/v1/purchases"]

    assert len(sales) == len({call.key for call in sales}) == len(sample.baskets)
    assert made.receipts == len(sample.baskets)


def test_lines_sum_to_the_total_and_tenders_pay_it(made: plan.Plan) -> None:
    for call in plan.calls(made):
        body = call.body
        assert sum(line["amount_minor"] for line in body["lines"]) == body["total_minor"]
        if call.path == "/v1/purchases":
            assert sum(tender["amount_minor"] for tender in body["tenders"]) == body["total_minor"]


def test_the_same_sample_makes_the_same_plan(sample: data.Sample, made: plan.Plan) -> None:
    assert plan.make(sample) == made


def test_a_receipt_has_the_same_fate_in_a_larger_sample(made: plan.Plan) -> None:
    larger = plan.make(data.load(households=100, weeks=8, today=date(2026, 11, 22)))

    fates = {call.key: (call.fate, call.body) for call in plan.calls(larger)}
    assert all(fates[call.key] == (call.fate, call.body) for call in plan.calls(made))


def test_every_mishap_happens(made: plan.Plan) -> None:
    kinds = {type(step) for step in made.steps}
    fates = {call.fate for call in plan.calls(made)}

    assert kinds == {Call, Upload, Enrolment}
    assert fates == {"normal", "answer_lost", "sent_twice"}
    assert made.returns > 0


def test_steps_are_in_time_order(made: plan.Plan) -> None:
    times = [step.at for step in made.steps]

    assert times == sorted(times)


def test_a_late_member_has_receipts_before_joining(made: plan.Plan) -> None:
    joined = {step.household: step.at for step in made.steps if isinstance(step, Enrolment)}
    cards = {plan.card(household): at for household, at in joined.items()}
    early = [
        call
        for call in plan.calls(made)
        if call.path == "/v1/purchases"
        and call.at < cards.get(call.body["member"]["card"], call.at)
    ]

    assert joined
    assert not joined.keys() & set(made.members)
    assert len(early) >= 2 * len(joined)


def test_a_return_takes_back_one_whole_line_after_its_sale(made: plan.Plan) -> None:
    sales = {call.receipt_id: call for call in plan.calls(made) if call.path == "/v1/purchases"}
    for call in plan.calls(made):
        if call.path == "/v1/returns":
            sold = sales[call.receipt_id]
            (line,) = call.body["lines"]
            original = sold.body["lines"][line["line_no"] - 1]
            assert call.at > sold.at
            assert (line["quantity"], line["amount_minor"]) == (
                original["quantity"],
                original["amount_minor"],
            )


@pytest.mark.parametrize(
    ("milli", "text"), [(0, "0"), (1_000, "1"), (12_510, "12.51"), (5, "0.005"), (20_000, "20")]
)
def test_quantities_are_plain_decimals(milli: int, text: str) -> None:
    assert plan.quantity(milli) == text
