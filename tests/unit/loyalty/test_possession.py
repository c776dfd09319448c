"""App codes, and when possession has to be proven."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from services.loyalty.api.possession import IdentifiedBy
from services.loyalty.domain import appcodes
from services.loyalty.domain.appcodes import PERIOD_S, Code
from services.loyalty.domain.possession import Claim, Possession, require_possession
from shared.errors import Refused
from tests.builders import MEMBER, NOW

SECRET = base64.b32encode(b"12345678901234567890").decode()
"""Of the examples of RFC 4226 and RFC 6238."""
DEVICE = UUID(int=7)


def password(step: int) -> str:
    return appcodes.code_of(12345678, SECRET, step)[8:]


@pytest.mark.parametrize(
    ("counter", "expected"), [(0x1, "94287082"), (0x23523EC, "07081804"), (0x27BC86AA, "65353130")]
)
def test_passwords_are_those_of_the_standard(counter: int, expected: str) -> None:
    assert appcodes.code_of(12345678, SECRET, counter) == f"12345678{expected}"


@pytest.mark.parametrize(
    "text",
    ["1234567800000042", "app:1234567800000042", "APP:1234 5678 0000 0042", "12345678-00000042"],
)
def test_a_code_is_read_as_it_is_scanned_or_typed(text: str) -> None:
    assert appcodes.parse(text) == Code(12345678, "00000042")


@pytest.mark.parametrize(
    "text",
    ["", "123456780000004", "12345678000000421", "card:1234567800000042", "1234567٨00000042"],
)
def test_what_has_another_form_is_no_code(text: str) -> None:
    assert appcodes.parse(text) is None


@pytest.mark.parametrize(
    ("late_s", "good"),
    [
        pytest.param(-PERIOD_S - 1, False, id="two steps ahead"),
        pytest.param(-PERIOD_S, True, id="the phone is a step ahead"),
        pytest.param(-1, True, id="a second ahead"),
        pytest.param(0, True, id="at its beginning"),
        pytest.param(PERIOD_S - 1, True, id="at its end"),
        pytest.param(2 * PERIOD_S - 1, True, id="at the end of the next step"),
        pytest.param(2 * PERIOD_S, False, id="two steps late"),
    ],
)
def test_a_code_is_good_in_its_step_and_one_around_it(late_s: int, good: bool) -> None:
    step = appcodes.step_at(NOW)
    at = appcodes.step_begins(step) + timedelta(seconds=late_s)

    assert appcodes.matching_step(SECRET, password(step), at) == (step if good else None)


def test_another_device_has_another_secret() -> None:
    secrets = {
        appcodes.device_secret(b"key", DEVICE),
        appcodes.device_secret(b"key", UUID(int=8)),
        appcodes.device_secret(b"other key", DEVICE),
    }

    assert len(secrets) == 3
    assert {len(base64.b32decode(one)) for one in secrets} == {20}


def test_steps_follow_each_other_without_a_gap() -> None:
    step = appcodes.step_at(datetime(2026, 11, 26, 12, 0, 59, tzinfo=UTC))

    assert appcodes.step_begins(step) == datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    assert appcodes.step_at(appcodes.step_begins(step + 1)) == step + 1


@pytest.mark.parametrize(
    ("proven", "points", "limit", "passes"),
    [
        pytest.param(True, 1_000_000, 0, True, id="a proof is always enough"),
        pytest.param(False, 1, 0, False, id="without a limit every point needs one"),
        pytest.param(False, 100, 100, True, id="as many as the limit"),
        pytest.param(False, 101, 100, False, id="one more"),
    ],
)
def test_spending_above_the_limit_needs_a_proof(
    proven: bool, points: int, limit: int, passes: bool
) -> None:
    possession = Possession(MEMBER, "card" if proven else "phone", proven)

    if passes:
        require_possession(possession, points, recognised_max_points=limit)
        return
    with pytest.raises(Refused) as caught:
        require_possession(possession, points, recognised_max_points=limit)
    assert (caught.value.code, caught.value.status) == ("possession_required", 403)
    assert caught.value.extra["accepted"] == ["card", "app_code"]


@pytest.mark.parametrize(
    "body", [{}, {"card": "1", "phone": "+12025551234"}, {"pin": "1"}, {"card": ""}, {"card": None}]
)
def test_the_field_has_exactly_one_identifier(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IdentifiedBy.model_validate(body)


@pytest.mark.parametrize("kind", IdentifiedBy.model_fields)
def test_the_field_becomes_a_claim(kind: str) -> None:
    value = str(uuid4()) if kind == "member_id" else "1234"
    member_id = uuid4()

    assert IdentifiedBy.model_validate({kind: value}).claim(member_id) == Claim(
        member_id, kind, value
    )
