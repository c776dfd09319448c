"""Enrolment, lookup and identifiers over HTTP."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.loyalty.store import tables
from shared import auth, identity
from shared.contracts.interactions import ConsentGiven
from shared.contracts.members import MemberChanged, MemberContactChanged
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import IDENTITY_KEY, Desk

NOBODY = UUID(int=1)
"""In parameters: workers must collect the same names."""

PERSON: dict[str, Any] = {
    "external_id": "crm-1",
    "identifiers": [{"kind": "card", "value": " 9840001234 "}],
    "name": "Ann Lee",
    "email": "Ann@Example.org",
    "phone": "+1 202-555-0142",
    "time_zone": "America/New_York",
    "consents": [
        {"purpose": "marketing", "channel": "email", "wording_id": "signup", "wording_version": 2}
    ],
}


def hashed(kind: str, normalised: str) -> str:
    return identity.identifier_hmac(bytes.fromhex(IDENTITY_KEY), kind, normalised)


async def test_enrolling_publishes_state_contact_and_consent(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.post("/v1/members", json=PERSON)

    assert answer.status_code == 201
    member_id = answer.json()["member_id"]
    state, contact, consent = await desk.published()
    assert isinstance(state, MemberChanged)
    assert {(one.kind, one.hmac) for one in state.data.identifiers} == {
        ("card", hashed("card", "9840001234")),
        ("phone", hashed("phone", "+12025550142")),
        ("email", hashed("email", "ann@example.org")),
    }
    assert "Ann" not in state.model_dump_json()
    assert isinstance(contact, MemberContactChanged)
    assert (contact.data.email, contact.data.phone) == ("ann@example.org", "+12025550142")
    assert isinstance(consent, ConsentGiven)
    assert consent.data.evidence.wording_id == "signup"
    assert consent.data.evidence.recorded_at == NOW
    assert {event.subject for event in (state, contact, consent)} == {member_id}


async def test_the_same_enrolment_again_answers_with_the_same_member(desk: Desk) -> None:
    async with desk.client() as client:
        first = await client.post("/v1/members", json=PERSON)
        again = await client.post("/v1/members", json=PERSON)

    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(await desk.published()) == 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**PERSON, "name": "Somebody else"}, id="same external id, other body"),
        pytest.param({"identifiers": [{"kind": "card", "value": "9840001234"}]}, id="same card"),
        pytest.param({"phone": "+12025550142"}, id="same phone as a contact"),
        pytest.param(
            {"identifiers": [{"kind": "email", "value": "ANN@example.org"}]}, id="same e-mail"
        ),
    ],
)
async def test_what_another_member_has_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    async with desk.client() as client:
        await client.post("/v1/members", json=PERSON)
        answer = await client.post("/v1/members", json=body)

    assert answer.status_code == 409
    assert answer.json()["code"] == "identifier_taken"
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(await desk.rows(tables.member)) == 1


async def test_concurrent_enrolments_make_one_member(desk: Desk) -> None:
    async with desk.client() as client:
        answers = await asyncio.gather(*(client.post("/v1/members", json=PERSON) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["member_id"] for answer in answers}) == 1
    assert len(await desk.rows(tables.member)) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"phone": "12"}, "member.phone"),
        ({"email": "nobody"}, "member.email"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"surprise": 1}, "surprise"),
        ({"name": "a\x00b"}, "name"),
        ({"external_id": ""}, "external_id"),
    ],
)
async def test_bad_input_is_named_and_nothing_is_written(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    async with desk.client() as client:
        answer = await client.post("/v1/members", json={**PERSON, **change})

    assert answer.status_code == 422
    assert field in [one["field"] for one in answer.json()["errors"]]
    assert await desk.rows(tables.member) == []
    assert await desk.published() == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("card", "9840001234"),
        ("phone", "+1 (202) 555 0142"),
        ("email", "ann@EXAMPLE.org"),
        ("external_id", "crm-1"),
    ],
)
async def test_lookup_finds_a_member_by_any_identifier(desk: Desk, kind: str, value: str) -> None:
    async with desk.client() as client:
        enrolled = await client.post("/v1/members", json=PERSON)
        found = await client.get("/v1/members:lookup", params={kind: value})

    assert found.status_code == 200
    assert found.json()["member_id"] == enrolled.json()["member_id"]
    assert found.json()["email"] == "ann@example.org"


async def test_a_terminal_sees_masked_details(desk: Desk) -> None:
    async with desk.client("terminal") as client:
        await client.post("/v1/members", json={**PERSON, "birth_date": "1990-01-02"})
        found = (await client.get("/v1/members:lookup", params={"card": "9840001234"})).json()

    assert (found["name"], found["email"], found["phone"], found["birth_date"]) == (
        "Ann L.",
        "a…@example.org",
        "…0142",
        None,
    )
    assert {one["masked"] for one in found["identifiers"]} == {"…1234", "…0142", "a…@example.org"}


@pytest.mark.parametrize("params", [{}, {"card": "1", "phone": "+12025550142"}])
async def test_lookup_wants_exactly_one_identifier(desk: Desk, params: dict[str, str]) -> None:
    async with desk.client() as client:
        answer = await client.get("/v1/members:lookup", params=params)

    assert answer.status_code == 422


async def test_a_new_identifier_is_announced_once(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = (await client.post("/v1/members", json=PERSON)).json()["member_id"]
        path = f"/v1/members/{member_id}/identifiers"
        first = await client.post(path, json={"kind": "card", "value": "555"})
        again = await client.post(path, json={"kind": "card", "value": "555"})

    assert (first.status_code, again.status_code) == (201, 200)
    *_, state = await desk.published("members")
    assert isinstance(state, MemberChanged)
    assert state.data.version == 2
    assert ("card", hashed("card", "555")) in {
        (one.kind, one.hmac) for one in state.data.identifiers
    }
    assert len(await desk.published("members")) == 2


async def test_an_identifier_of_another_member_is_refused(desk: Desk) -> None:
    async with desk.client() as client:
        await client.post("/v1/members", json=PERSON)
        other = (await client.post("/v1/members", json={"external_id": "crm-2"})).json()
        answer = await client.post(
            f"/v1/members/{other['member_id']}/identifiers",
            json={"kind": "card", "value": "9840001234"},
        )

    assert (answer.status_code, answer.json()["code"]) == (409, "identifier_taken")


async def test_a_changed_profile_is_announced(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = (await client.post("/v1/members", json=PERSON)).json()["member_id"]
        answer = await client.patch(f"/v1/members/{member_id}", json={"home_store": "0042"})

    assert answer.json()["home_store"] == "0042"
    assert answer.json()["name"] == "Ann Lee"
    *_, state = await desk.published("members")
    assert isinstance(state, MemberChanged)
    assert (state.data.home_store, state.data.version) == ("0042", 2)


async def test_language_and_time_zone_are_kept_changed_announced_and_taken_back(
    desk: Desk,
) -> None:
    async with desk.client() as client:
        person = {**PERSON, "locale": "de-AT"}
        enrolled = (await client.post("/v1/members", json=person)).json()
        path = f"/v1/members/{enrolled['member_id']}"
        bad = await client.patch(path, json={"locale": "German", "time_zone": "Mars/Olympus"})
        moved = {"locale": "fr-CA", "time_zone": "America/Montreal"}
        changed = (await client.patch(path, json=moved)).json()
        cleared = (await client.patch(path, json={"locale": None})).json()

    assert (enrolled["locale"], enrolled["time_zone"]) == ("de-AT", "America/New_York")
    assert {one["field"] for one in bad.json()["errors"]} == {"locale", "time_zone"}
    assert (changed["locale"], changed["time_zone"]) == ("fr-CA", "America/Montreal")
    assert (cleared["locale"], cleared["time_zone"]) == (None, "America/Montreal")
    states = [one for one in await desk.published("members") if isinstance(one, MemberChanged)]
    assert [(one.data.locale, one.data.time_zone) for one in states] == [
        ("de-AT", "America/New_York"),
        ("fr-CA", "America/Montreal"),
        (None, "America/Montreal"),
    ]


async def test_a_new_tier_is_announced_with_the_member(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = (await client.post("/v1/members", json=PERSON)).json()["member_id"]
        lines = [builders.line(category="BREAD", amount_minor=12_000)]
        await desk.apply(builders.purchase_recorded(member_id=member_id, lines=lines))
        found = (await client.get(f"/v1/members/{member_id}")).json()

    assert found["tier"] == "Silver"
    *_, state = await desk.published("members")
    assert isinstance(state, MemberChanged)
    assert (state.data.tier, state.data.version) == ("Silver", 2)
    assert len(state.data.identifiers) == 3


@pytest.mark.parametrize(
    "path", ["", "/balance", "/entries", "/lots"], ids=["member", "balance", "entries", "lots"]
)
async def test_nobody_is_not_found(desk: Desk, path: str) -> None:
    async with desk.client() as client:
        answer = await client.get(f"/v1/members/{uuid4()}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "member_unknown")


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("marketer", "/v1/members:lookup?card=1", 403),
        ("marketer", f"/v1/members/{NOBODY}/balance", 403),
        ("terminal", f"/v1/members/{NOBODY}/entries", 403),
        ("terminal", f"/v1/members/{NOBODY}/balance", 404),
    ],
)
async def test_roles_see_what_they_need(
    desk: Desk, role: auth.Role, path: str, status: int
) -> None:
    async with desk.client(role) as client:
        assert (await client.get(path)).status_code == status


async def test_without_a_key_nothing_is_shown(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.get("/v1/members:lookup?card=1", headers={"Authorization": ""})

    assert answer.status_code == 401
