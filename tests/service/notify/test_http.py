"""Notify's routes: who may call them, what they answer, and leaving with one click."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from services.notify import app
from services.notify.domain.tokens import Leave
from services.notify.handlers import dispatch
from shared import auth
from shared.contracts.credentials import Role
from shared.http.app import create_api
from tests import builders
from tests.service.notify.conftest import Notify

ROLES: tuple[Role, ...] = ("terminal", "app", "staff", "marketer", "admin")
MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ member.first_name }} "
    '<a href="{{ unsubscribe_url }}">out</a></mj-text></mj-column></mj-section></mj-body></mjml>'
)
TEMPLATE = {
    "topic": "offers",
    "subject": "Ours: {{ offers|length }}",
    "mjml": MJML,
    "text": "Hi {{ unsubscribe_url }}",
    "inbox_title": "Ours",
    "inbox_text": "Ours {{ offers|length }}",
}
YES = {
    "purpose": "marketing",
    "channel": "email",
    "decision": "given",
    "wording_id": "newsletter",
    "wording_version": 3,
    "source": "app:settings",
}


class Caller:
    """Calls notify in any role, or as nobody."""

    def __init__(self, client: httpx.AsyncClient, keys: dict[Role, str]) -> None:
        self.client = client
        self.keys = keys

    async def __call__(
        self, method: str, path: str, role: Role | None = "app", **body: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return await self.client.request(method, path, headers=headers, **body)


@pytest_asyncio.fixture
async def call(notify: Notify) -> AsyncIterator[Caller]:
    """Call notify by its real ASGI application."""
    keys: dict[Role, str] = {role: auth.new_key() for role in ROLES}
    async with notify.db.transaction() as tx:
        await auth.beat(tx, builders.FRESH)
        await auth.bootstrap(tx, [auth.Grant(key, role, role) for role, key in keys.items()])
    api = create_api(app.service(), notify.context)
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify") as client:
        yield Caller(client, keys)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/members/{id}/preferences", {"app", "staff", "admin"}),
        ("PUT", "/v1/members/{id}/preferences", {"app", "staff", "admin"}),
        ("GET", "/v1/members/{id}/consents", {"app", "staff", "admin"}),
        ("POST", "/v1/members/{id}/consents", {"app", "staff", "admin"}),
        ("GET", "/v1/members/{id}/inbox", {"app", "staff", "admin"}),
        ("GET", "/v1/messages/{id}", {"app", "staff", "admin"}),
        ("POST", "/v1/messages/{id}:read", {"app", "admin"}),
        ("PUT", "/v1/templates/offers_digest", {"marketer", "admin"}),
        ("POST", "/v1/templates/offers_digest:preview", {"marketer", "admin"}),
    ],
)
async def test_only_the_named_roles_may_call(
    call: Caller, method: str, path: str, allowed: set[Role]
) -> None:
    path = path.format(id=uuid4())
    assert (await call(method, path, role=None, json={})).status_code == 401
    for role in ROLES:
        answer = await call(method, path, role=role, json={})
        assert (answer.status_code == 403) is (role not in allowed), (role, answer.text)


async def test_preferences_show_the_whole_matrix_and_what_the_member_chose(
    notify: Notify, call: Caller
) -> None:
    path = f"/v1/members/{await notify.enrol()}/preferences"
    before = (await call("GET", path)).json()["preferences"]
    assert len(before) == 30
    assert {one["source"] for one in before} == {"default"}
    chosen = {"topic": "points", "channel": "email", "frequency": "at_once"}
    put = await call("PUT", path, json={"preferences": [chosen]})
    assert put.status_code == 200
    mine = [one for one in put.json()["preferences"] if one["source"] == "member"]
    assert mine == [chosen | {"source": "member"}]
    assert (await call("PUT", path, json={"preferences": []})).json()["preferences"] == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"preferences": [{"topic": "weather", "channel": "email", "frequency": "never"}]},
        {"preferences": [{"topic": "points", "channel": "email", "frequency": "hourly"}]},
        {"preferences": [{"topic": "points", "channel": "email", "frequency": "never"}] * 2},
        {"preferences": [], "extra": 1},
    ],
)
async def test_bad_preferences_are_refused(call: Caller, body: Any) -> None:
    answer = await call("PUT", f"/v1/members/{uuid4()}/preferences", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_preferences_of_nobody_are_not_found(notify: Notify, call: Caller) -> None:
    assert (await call("GET", f"/v1/members/{uuid4()}/preferences")).status_code == 404
    gone = await notify.enrol()
    erased = builders.member_changed(member_id=gone, version=2, status="erased")
    await notify.feed("members", erased)
    for method in ("GET", "PUT"):
        path = f"/v1/members/{gone}/preferences"
        assert (await call(method, path, json={"preferences": []})).status_code == 404


async def test_consent_given_over_http_lets_the_next_offer_out_and_is_published(
    notify: Notify, call: Caller
) -> None:
    ada = await notify.enrol(consent=False)
    answer = await call("POST", f"/v1/members/{ada}/consents", json=YES)
    assert answer.status_code == 201
    await notify.issue(ada)
    await notify.work()
    assert len(notify.post.mails) == 1
    [event] = await notify.published("interactions")
    assert event.type == "consent.given.v1"
    # It comes back to us by the topic, and changes nothing.
    await notify.feed("interactions", event)
    listed = (await call("GET", f"/v1/members/{ada}/consents")).json()["data"]
    assert [one["consent_id"] for one in listed] == [str(event.id)]
    assert listed[0]["wording_version"] == 3


async def test_consent_of_a_member_not_heard_of_yet_is_kept(notify: Notify, call: Caller) -> None:
    stranger = uuid4()
    path = f"/v1/members/{stranger}/consents"
    assert (await call("GET", path)).status_code == 404
    assert (await call("POST", path, json=YES)).status_code == 201
    assert len((await call("GET", path)).json()["data"]) == 1


async def test_same_consent_with_its_time_is_one_row(notify: Notify, call: Caller) -> None:
    path = f"/v1/members/{await notify.enrol(consent=False)}/consents"
    body = YES | {"recorded_at": "2026-11-01T10:00:00+01:00"}
    first, second = [(await call("POST", path, json=body)).json() for _ in range(2)]
    assert first["consent_id"] == second["consent_id"]
    assert len((await call("GET", path)).json()["data"]) == 1
    future = YES | {"recorded_at": "2036-11-01T10:00:00+01:00"}
    assert (await call("POST", path, json=future)).status_code == 422


async def test_consents_are_listed_in_pages(notify: Notify, call: Caller) -> None:
    path = f"/v1/members/{await notify.enrol(consent=False)}/consents"
    for version in range(1, 6):
        await call("POST", path, json=YES | {"wording_version": version})
    first = (await call("GET", f"{path}?limit=3")).json()
    rest = (await call("GET", f"{path}?limit=3&cursor={first['next_cursor']}")).json()
    assert len(first["data"]) == 3
    assert {one["wording_version"] for one in first["data"] + rest["data"]} == {1, 2, 3, 4, 5}
    assert rest["next_cursor"] is None
    assert (await call("GET", f"{path}?cursor=nonsense")).status_code == 422


async def test_inbox_lists_messages_and_remembers_the_first_reading(
    notify: Notify, call: Caller
) -> None:
    ada = await notify.enrol()
    await notify.feed("loyalty", builders.points_earned(member_id=ada, points=12, available=30))
    await notify.issue(ada, 2)
    await notify.work()
    listed = (await call("GET", f"/v1/members/{ada}/inbox")).json()
    titles = {one["title"] for one in listed["data"]}
    assert titles == {"You earned 12 points", "2 new offers on your card"}
    one = listed["data"][0]
    assert one["read_at"] is None
    path = f"/v1/messages/{one['message_id']}:read"
    first = (await call("POST", path)).json()["read_at"]
    notify.clock.advance(notify.context.dispatch.lease)
    assert (await call("POST", path)).json()["read_at"] == first
    assert (await call("POST", f"/v1/messages/{uuid4()}:read")).status_code == 404
    mail = await notify.only(channel="email")
    assert (await call("POST", f"/v1/messages/{mail['message_id']}:read")).status_code == 404


async def test_a_message_shows_every_gate_of_its_decision(notify: Notify, call: Caller) -> None:
    ada = await notify.enrol(consent=False)
    notify.settle_grace()
    await notify.issue(ada)
    await notify.work()
    kept = await notify.only(channel="email")
    shown = (await call("GET", f"/v1/messages/{kept['message_id']}", role="staff")).json()
    assert (shown["state"], shown["reason"]) == ("suppressed", "no_consent")
    assert [gate["gate"] for gate in shown["gates"]][-1] == "consent"
    assert shown["gates"][-1]["detail"] == "no consent to marketing by email"
    assert (await call("GET", f"/v1/messages/{uuid4()}")).status_code == 404


async def test_a_saved_template_writes_the_next_mail_and_versions_stay(
    notify: Notify, call: Caller
) -> None:
    path = "/v1/templates/offers_digest"
    first = await call("PUT", path, role="marketer", json=TEMPLATE)
    assert first.json() == {"code": "offers_digest", "version": 1, "topic": "offers"}
    assert (await call("PUT", path, role="marketer", json=TEMPLATE)).json()["version"] == 1
    second = TEMPLATE | {"subject": "Newer"}
    assert (await call("PUT", path, role="marketer", json=second)).json()["version"] == 2
    ada = await notify.enrol()
    await notify.issue(ada)
    await notify.work()
    assert notify.post.subjects() == ["Newer"]
    assert (await notify.only(channel="email"))["template_version"] == 2
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with notify.db.transaction() as tx:
            await tx.execute(sa.text("UPDATE template SET topic = 'service'"))


async def test_a_template_is_refused_with_the_part_that_is_wrong(call: Caller) -> None:
    path = "/v1/templates/offers_digest"
    bad = TEMPLATE | {"text": "{{ ''.__class__ }} {{ unsubscribe_url }}"}
    answer = await call("PUT", path, role="marketer", json=bad)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "text"
    bad = TEMPLATE | {"subject": "a\r\nBcc: eve@example.org"}
    answer = await call("PUT", path, role="marketer", json=bad)
    assert answer.json()["errors"][0]["field"] == "subject"
    bad = TEMPLATE | {"mjml": "<mjml>"}
    answer = await call("PUT", path, role="marketer", json=bad)
    assert answer.json()["errors"][0]["field"] == "mjml"


async def test_a_marketing_template_does_not_become_a_service_message(call: Caller) -> None:
    path = "/v1/templates/offers_digest"
    service = TEMPLATE | {"topic": "service"}
    assert (await call("PUT", path, role="marketer", json=service)).status_code == 403
    assert (await call("PUT", path, role="admin", json=service)).status_code == 409


async def test_preview_shows_drafts_and_what_is_saved(call: Caller) -> None:
    path = "/v1/templates/offers_digest:preview"
    shipped = (await call("POST", path, role="marketer", json={})).json()
    assert shipped["version"] == 0
    assert "Ada" in shipped["html"]
    draft = {name: text for name, text in TEMPLATE.items() if name != "topic"}
    shown = (await call("POST", path, role="marketer", json={"draft": draft})).json()
    assert (shown["version"], shown["subject"]) == (None, "Ours: 2")
    unknown = await call("POST", "/v1/templates/nothing:preview", role="marketer", json={})
    assert unknown.status_code == 404


def way_out(notify: Notify, member_id: UUID, topic: Any = "offers") -> str:
    url = notify.context.links.unsubscribe(Leave(member_id, topic, "email", uuid4()))
    return url.removeprefix("https://shop.example")


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ],
    ids=["urlencoded", "multipart", "empty"],
)
async def test_one_click_unsubscribes_whatever_the_encoding(
    notify: Notify, call: Caller, body: dict[str, Any]
) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    path = way_out(notify, ada)
    for _ in range(2):
        answer = await call("POST", path, role=None, **body)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
    await notify.work()
    assert notify.post.mails == []
    assert (await notify.only(channel="email"))["reason"] == "consent_withdrawn"
    assert [event.type for event in await notify.published("interactions")] == [
        "consent.withdrawn.v1"
    ]


async def test_the_link_in_the_mail_itself_unsubscribes_within_the_same_second(
    notify: Notify, call: Caller
) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    await notify.work()
    link = notify.post.mails[0]["List-Unsubscribe"].strip("<>")
    await notify.issue(ada)
    notify.clock.advance(notify.context.dispatch.collect)
    async with notify.db.transaction() as tx:
        [claim], _ = await dispatch.claim_mail(tx, notify.context)
    answer = await call("POST", link.removeprefix("https://shop.example"), role=None)
    assert answer.status_code == 200
    async with notify.db.transaction() as tx:
        assert await dispatch.prepare(tx, claim, notify.context) is None


async def test_looking_at_the_page_changes_nothing(notify: Notify, call: Caller) -> None:
    ada = await notify.enrol()
    page = await call("GET", way_out(notify, ada), role=None)
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert '<html lang="en">' in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "script" not in page.text
    await notify.issue(ada)
    await notify.work()
    assert len(notify.post.mails) == 1


async def test_leaving_mail_about_points_keeps_consent_to_offers(
    notify: Notify, call: Caller
) -> None:
    ada = await notify.enrol()
    assert (await call("POST", way_out(notify, ada, "points"), role=None)).status_code == 200
    preferences = (await call("GET", f"/v1/members/{ada}/preferences")).json()["preferences"]
    assert {"topic": "points", "channel": "email", "frequency": "never", "source": "member"} in (
        preferences
    )
    await notify.issue(ada)
    await notify.work()
    assert len(notify.post.mails) == 1


async def test_who_comes_back_can_leave_again_by_the_same_link(
    notify: Notify, call: Caller
) -> None:
    ada = await notify.enrol()
    path = way_out(notify, ada)
    await call("POST", path, role=None)
    notify.clock.advance(notify.context.dispatch.collect)
    await call("POST", f"/v1/members/{ada}/consents", json=YES)
    notify.clock.advance(notify.context.dispatch.collect)
    await call("POST", path, role=None)
    consents = (await call("GET", f"/v1/members/{ada}/consents")).json()["data"]
    assert [one["decision"] for one in consents] == ["withdrawn", "given", "withdrawn", "given"]


@pytest.mark.parametrize("token", ["x", "A" * 68, "%00", "é" * 68, "..%2f..", "a" * 5_000])
async def test_a_made_up_link_does_nothing(notify: Notify, call: Caller, token: str) -> None:
    for method in ("GET", "POST"):
        answer = await call(method, f"/u/{token}", role=None)
        assert answer.status_code == 404
        assert "Traceback" not in answer.text


async def test_a_link_of_another_key_does_nothing(notify: Notify, call: Caller) -> None:
    ada = await notify.enrol()
    forged = way_out(notify, ada)[:-4] + "AAAA"
    assert (await call("POST", forged, role=None)).status_code == 404
    await notify.issue(ada)
    await notify.work()
    assert len(notify.post.mails) == 1
