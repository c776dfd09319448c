"""Who may be told what: the gates as a table of cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import gates, matrix
from services.notify.domain.gates import Asked, Facts, Limits, Standing

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIMITS = Limits(
    ttl=timedelta(hours=24), wait=timedelta(hours=1), consent_grace=timedelta(seconds=10)
)
OFFER_MAIL = Asked("offers", "email", caused_at=NOW, created_at=NOW)
OFFER_INBOX = replace(OFFER_MAIL, channel="inbox")
POINTS_MAIL = replace(OFFER_MAIL, topic="points")
POINTS_INBOX = replace(OFFER_MAIL, topic="points", channel="inbox")
TIER_MAIL = replace(OFFER_MAIL, topic="tiers")
RECEIPT = replace(OFFER_MAIL, topic="service")
YES = Standing("given", NOW - timedelta(days=9), "enrolment v1")
NO = Standing("withdrawn", NOW - timedelta(seconds=1), "unsubscribe-link v1")
FINE = Facts(
    now=NOW,
    member_status="active",
    member_since=NOW - timedelta(days=30),
    contact_known=True,
    address="ada@example.org",
    consent=YES,
    items=3,
    items_valid=3,
)

CASES: list[tuple[str, Asked, dict[str, Any], str, str | None]] = [
    ("a consented offer leaves", OFFER_MAIL, {}, "send", None),
    ("no word on consent", OFFER_MAIL, {"consent": None}, "suppress", "no_consent"),
    ("consent withdrawn", OFFER_MAIL, {"consent": NO}, "suppress", "consent_withdrawn"),
    ("an inbox is not pushed", OFFER_INBOX, {"consent": None}, "send", None),
    ("an inbox can be objected to", OFFER_INBOX, {"consent": NO}, "suppress", "consent_withdrawn"),
    ("member not heard of yet", OFFER_MAIL, {"member_status": None}, "wait", "not_known_yet"),
    ("address not heard of yet", OFFER_MAIL, {"contact_known": False}, "wait", "not_known_yet"),
    (
        "inbox needs no address",
        OFFER_INBOX,
        {"contact_known": False, "address": None},
        "send",
        None,
    ),
    (
        "a brand-new member's consent may be on its way",
        OFFER_MAIL,
        {"consent": None, "member_since": NOW - timedelta(seconds=3)},
        "wait",
        "not_known_yet",
    ),
    ("erased", OFFER_MAIL, {"member_status": "erased"}, "suppress", "erased"),
    ("erased, service too", RECEIPT, {"member_status": "erased"}, "suppress", "erased"),
    ("merged into another", OFFER_MAIL, {"member_status": "merged"}, "suppress", "merged"),
    ("no address given", OFFER_MAIL, {"address": None}, "suppress", "no_address"),
    ("address bounced", OFFER_MAIL, {"bounced": "550"}, "suppress", "address_suppressed"),
    ("chose never", OFFER_MAIL, {"frequency": "never"}, "suppress", "preference"),
    ("points by mail, not asked", POINTS_MAIL, {"items": None}, "suppress", "preference"),
    (
        "points by mail, asked for, needs no marketing consent",
        POINTS_MAIL,
        {"items": None, "frequency": "at_once", "consent": None},
        "send",
        None,
    ),
    ("points in the inbox", POINTS_INBOX, {"items": None, "consent": None}, "send", None),
    ("all offers used or over", OFFER_MAIL, {"items_valid": 0}, "suppress", "no_longer_true"),
    (
        "a tier by mail needs no asking",
        TIER_MAIL,
        {"items": None, "consent": None},
        "send",
        None,
    ),
    (
        "a tier that is gone",
        TIER_MAIL,
        {"items": None, "outdated": "the tier has ended"},
        "suppress",
        "no_longer_true",
    ),
    (
        "service passes consent and preference",
        RECEIPT,
        {"consent": NO, "frequency": "never", "items": None},
        "send",
        None,
    ),
]


@pytest.mark.parametrize(
    ("asked", "changes", "outcome", "reason"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_gates_decide(
    asked: Asked, changes: dict[str, Any], outcome: str, reason: str | None
) -> None:
    decision = gates.decide(asked, replace(FINE, **changes), LIMITS)
    assert (decision.outcome, decision.reason) == (outcome, reason)
    assert all(check.passed for check in decision.checks[:-1])
    assert decision.checks[-1].passed is (reason is None)


def test_first_gate_that_says_no_is_the_last_asked() -> None:
    worst = replace(FINE, consent=NO, frequency="never", items_valid=0, bounced="550")
    decision = gates.decide(OFFER_MAIL, worst, LIMITS)
    assert [check.gate for check in decision.checks] == ["fresh", "known", "erased", "suppressed"]


def test_gates_are_asked_in_the_promised_order() -> None:
    order = [name for name, _ in gates.GATES]
    assert order == [
        "fresh", "known", "erased", "suppressed", "consent", "preference", "still_true",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(hours=24), None), (timedelta(hours=24, seconds=1), "expired")],
)
def test_trigger_older_than_a_day_sends_nothing(age: timedelta, reason: str | None) -> None:
    asked = replace(OFFER_MAIL, caused_at=NOW - age)
    assert gates.decide(asked, FINE, LIMITS).reason == reason
    assert gates.is_stale(asked.caused_at, NOW, LIMITS) is (reason is not None)


def test_waiting_ends_with_a_reason() -> None:
    unknown = replace(FINE, member_status=None)
    asked = replace(OFFER_MAIL, created_at=NOW - timedelta(hours=1))
    assert gates.decide(asked, unknown, LIMITS).reason == "unknown_member"


WITHOUT_A_YES = st.fixed_dictionaries(
    {
        "member_status": st.sampled_from([None, "active", "erased", "merged"]),
        "consent": st.sampled_from([None, NO]),
        "frequency": st.sampled_from([None, "at_once", "never"]),
        "contact_known": st.booleans(),
    }
)


@given(
    topic=st.sampled_from(sorted(matrix.MARKETING)),
    channel=st.sampled_from(["email", "sms", "push"]),
    changes=WITHOUT_A_YES,
)
def test_marketing_never_goes_out_without_a_yes(
    topic: Any, channel: Any, changes: dict[str, Any]
) -> None:
    asked = Asked(topic, channel, NOW, NOW)
    assert gates.decide(asked, replace(FINE, **changes), LIMITS).outcome != "send"


def test_looking_again_backs_off_within_bounds() -> None:
    waits = [
        gates.look_again_after(OFFER_MAIL, NOW + timedelta(seconds=age)).total_seconds()
        for age in (0, 8, 4000)
    ]
    assert waits == [1, 8, 60]
