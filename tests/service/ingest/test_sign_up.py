"""Sign-ups become members exactly once, by the real members' API; and what erasure leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.ingest.context import IngestContext
from services.ingest.handlers import enrolments
from services.ingest.loyalty import Loyalty
from services.loyalty.store import tables as loyalty_tables
from shared.clock import FixedClock
from shared.contracts.interactions import ConsentGiven, InteractionRecorded
from shared.contracts.members import MemberChanged
from shared.db import Database
from shared.errors import Unavailable
from shared.http.peer import Peer
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import NOW, enrol, published
from tests.service.ingest.form_examples import (
    ADMINS,
    NAME,
    PHONE,
    listed,
    put_form,
    send,
    submission_body,
)
from tests.service.ingest.newcomers import enrolled_with
from tests.service.loyalty.desk import Desk

BOTH = [{"purpose": "marketing", "channel": channel} for channel in ("email", "sms")]


def asking(carry: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]) -> Loyalty:
    """Return a client whose questions go to ``carry``."""
    transport = httpx.MockTransport(carry)
    return Loyalty(Peer("loyalty", "http://x", transport=transport), None)


class Line:
    """The line to a real loyalty service; a test cuts it before or after the call gets through."""

    def __init__(self, desk: Desk, http: httpx.AsyncClient) -> None:
        self.desk = desk
        self.http = http
        self.cut: str | None = None
        self.calls = 0

    @property
    def client(self) -> Loyalty:
        return asking(self._carry)

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.cut == "before":
            raise httpx.ConnectError("refused")
        answer = await self.http.request(
            request.method, request.url.raw_path.decode(), content=request.content,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        if self.cut == "after":
            raise httpx.ReadTimeout("no answer")
        return httpx.Response(answer.status_code, content=answer.content)

    async def members(self) -> list[Any]:
        return list(await self.desk.rows(loyalty_tables.member))

    async def news(self) -> list[MemberChanged]:
        return [
            one for one in await self.desk.published("members") if isinstance(one, MemberChanged)
        ]


@pytest_asyncio.fixture
async def line(make_database: MakeDatabase) -> AsyncIterator[Line]:
    """A loyalty service, and the line to it."""
    desk = Desk(await make_database("loyalty"))
    async with desk.client("app") as http:
        yield Line(desk, http)


async def sign_up(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await send(client, submission_body("sign_up", **changes))
    assert answer.status_code == 202, answer.text
    return answer.json()["status_url"]


async def status(client: httpx.AsyncClient, url: str) -> tuple[str, str | None]:
    told = (await client.get(url)).json()
    return told["status"], told["member_id"]


async def test_a_sign_up_becomes_a_member_with_the_evidence_of_consent(
    client: httpx.AsyncClient, context: IngestContext, db: Database, line: Line
) -> None:
    await put_form(client, "sign_up")
    url = await sign_up(client, language="de", consents=BOTH)
    assert await status(client, url) == ("accepted", None)
    assert await published(db) == []

    await enrolments.enrol_waiting(context, line.client)

    (member,) = await line.members()
    assert await status(client, url) == ("settled", str(member.member_id))
    assert (member.name, member.email, member.phone, member.locale, member.home_store) == (
        "Ann Lee", "ann@example.org", "+49301234567", "de", "0042",
    )  # fmt: skip
    recorded, *consents = [event for _, event in await published(db)]
    assert isinstance(recorded, InteractionRecorded)
    assert recorded.data.member_id == member.member_id
    assert [one.data.channel for one in consents] == ["email", "sms"]
    evidence = consents[0].data.evidence
    assert (evidence.wording_id, evidence.wording_version, evidence.source) == (
        "form:autumn/marketing/email", 1, "form:autumn",
    )  # fmt: skip
    assert (evidence.language, evidence.means, evidence.recorded_at) == ("de", "box-ticked", NOW)
    assert {key for key, _ in await published(db)} == {str(member.member_id)}


async def test_a_lost_answer_is_asked_again_and_enrols_nobody_twice(
    client: httpx.AsyncClient, context: IngestContext, db: Database, line: Line
) -> None:
    await put_form(client, "sign_up")
    url = await sign_up(client)
    line.cut = "after"
    with pytest.raises(Unavailable):
        await enrolments.enrol_waiting(context, line.client)
    assert (await status(client, url))[0] == "accepted"

    line.cut = None
    await enrolments.enrol_waiting(context, line.client)
    await enrolments.enrol_waiting(context, line.client)

    (member,) = await line.members()
    assert await status(client, url) == ("settled", str(member.member_id))
    assert len(await published(db)) == 2


async def test_loyalty_away_loses_nothing_and_is_asked_once_a_round(
    client: httpx.AsyncClient, context: IngestContext, line: Line
) -> None:
    await put_form(client, "sign_up")
    for number in range(5):
        await sign_up(client, answers={"email": f"p{number}@example.org"})
    line.cut = "before"
    for _ in range(3):
        with pytest.raises(Unavailable):
            await enrolments.enrol_waiting(context, line.client)
    assert line.calls == 3

    line.cut = None
    assert await enrolments.enrol_waiting(context, line.client) == 5
    assert len(await line.members()) == 5


async def test_two_processes_that_enrol_at_once_announce_once(
    client: httpx.AsyncClient, context: IngestContext, db: Database, line: Line
) -> None:
    await put_form(client, "sign_up")
    await sign_up(client)

    await asyncio.gather(*(enrolments.enrol_waiting(context, line.client) for _ in range(4)))

    assert len(await line.members()) == 1
    assert len(await published(db)) == 2


async def test_who_is_a_member_already_is_found_and_the_answer_is_the_same(
    client: httpx.AsyncClient, context: IngestContext, db: Database, line: Line
) -> None:
    await put_form(client, "sign_up")
    known = enrolled_with(email="ann@example.org")
    await enrol(context, known)
    body = submission_body("sign_up", consents=BOTH)
    stranger = submission_body("sign_up", answers={"email": "bob@example.org"})

    answers = [(await send(client, one)).json() for one in (body, stranger)]

    told = [{**one, "submission_id": "", "status_url": ""} for one in answers]
    assert told[0] == told[1]
    url = answers[0]["status_url"]
    assert await status(client, url) == ("settled", str(known.data.member_id))
    consents = [one for _, one in await published(db) if isinstance(one, ConsentGiven)]
    # The number on the form is not the member's: a yes to SMS would bind a stranger.
    assert [one.data.channel for one in consents] == ["email"]
    assert line.calls == 0


async def test_a_member_whose_news_has_not_arrived_is_waited_for(
    client: httpx.AsyncClient, context: IngestContext, db: Database, clock: FixedClock, line: Line
) -> None:
    await put_form(client, "sign_up")
    first, second = await sign_up(client), await sign_up(client)
    await enrolments.enrol_waiting(context, line.client)
    (member,) = await line.members()
    assert (await status(client, first))[0] == "settled"
    assert (await status(client, second))[0] == "accepted"

    assert await enrolments.enrol_waiting(context, line.client) == 0  # not due yet
    await enrol(context, *await line.news())

    assert await status(client, second) == ("settled", str(member.member_id))
    clock.advance(timedelta(hours=1))
    assert await enrolments.enrol_waiting(context, line.client) == 0
    kinds = [one.type for _, one in await published(db)]
    assert sorted(kinds) == ["consent.given.v1"] * 2 + ["interaction.recorded.v1"] * 2


async def test_what_loyalty_never_takes_is_left_for_the_staff_to_see(
    client: httpx.AsyncClient, context: IngestContext, line: Line
) -> None:
    card = {"name": "card", "kind": "card", "required": True, "label": PHONE["label"]}
    await put_form(client, "sign_up", fields=[card, NAME], consents=[])
    await sign_up(client, answers={"card": "98", "name": "Ann"}, consents=[])

    async def never(_: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"code": "invalid_request"})

    await enrolments.enrol_waiting(context, asking(never))

    (seen,) = await listed(client)
    assert (seen["status"], seen["failure"]) == ("failed", "invalid_request")
    assert await enrolments.enrol_waiting(context, line.client) == 0


async def test_a_message_is_linked_when_its_sender_becomes_a_member(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    await put_form(client)
    url = (await send(client, submission_body())).json()["status_url"]
    assert [one.type for _, one in await published(db)] == ["interaction.recorded.v1"]
    known = enrolled_with(email="ann@example.org")

    await enrol(context, known)
    await enrol(
        context, enrolled_with(member_id=known.data.member_id, version=2, email="ann@example.org")
    )

    assert await status(client, url) == ("settled", str(known.data.member_id))
    _, consent = [one for _, one in await published(db)]
    assert isinstance(consent, ConsentGiven)
    assert (consent.data.member_id, consent.data.evidence.recorded_at) == (
        known.data.member_id, NOW,
    )  # fmt: skip


def gone(event: MemberChanged) -> MemberChanged:
    return enrolled_with(member_id=event.data.member_id, version=9, status="erased")


async def rows_of_people(db: Database) -> str:
    async with db.transaction() as tx:
        submissions = (await tx.execute(sa.text("SELECT * FROM form_submission"))).all()
        entries = (await tx.execute(sa.text("SELECT * FROM form_entry"))).all()
    return f"{submissions} {entries}".lower()


async def test_erasing_a_member_erases_what_they_sent_also_before_and_after_a_merge(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    await put_form(client)
    ann, twin = enrolled_with(email="ann@example.org"), enrolled_with(email="twin@example.org")
    other = submission_body(answers={"email": "bob@example.org", "message": "Bobs own"})
    await send(client, other)
    await enrol(context, ann, twin)
    await send(client, submission_body())
    await send(client, submission_body(answers={"email": "twin@example.org", "message": "Ann 2"}))
    merged = enrolled_with(
        member_id=twin.data.member_id, version=2, status="merged", merged_into=ann.data.member_id
    )
    await enrol(context, merged)

    await enrol(context, gone(ann))
    await enrol(context, gone(ann))

    left = await rows_of_people(db)
    assert "ann" not in left
    assert "bobs own" in left
    assert sorted(one["status"] for one in await listed(client)) == ["erased", "erased", "settled"]


async def test_an_erased_sign_up_is_not_enrolled(
    client: httpx.AsyncClient, context: IngestContext, line: Line
) -> None:
    await put_form(client, "sign_up")
    url = await sign_up(client)

    await client.post(f"{url}:erase", headers=ADMINS)
    await enrolments.enrol_waiting(context, line.client)

    assert await line.members() == []
    assert (await status(client, url))[0] == "erased"


async def test_what_is_past_its_time_is_erased_and_what_waits_is_not(
    client: httpx.AsyncClient, context: IngestContext, db: Database, clock: FixedClock
) -> None:
    await put_form(client, retention_days=30)
    await put_form(client, "sign_up", form_id="club", retention_days=30)
    await send(client, submission_body())
    await send(
        client, submission_body("sign_up", answers={"email": "w@example.org"}), form_id="club"
    )

    clock.advance(timedelta(days=30) - timedelta(seconds=1))
    assert await enrolments.forget_expired(context) == 0
    clock.advance(timedelta(seconds=1))
    assert await enrolments.forget_expired(context) == 1

    left = await rows_of_people(db)
    assert "ann" not in left
    assert "w@example.org" in left


async def test_what_erasure_could_not_know_of_is_swept(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    """A submission restored from a backup, of a member erased since."""
    await put_form(client)
    ann = enrolled_with(email="ann@example.org")
    await enrol(context, ann, gone(ann))
    await send(client, submission_body())
    async with db.transaction() as tx:
        await tx.execute(
            sa.text("UPDATE form_submission SET member_id = :who"), {"who": ann.data.member_id}
        )

    assert await enrolments.forget_expired(context) == 1
    assert "ann" not in await rows_of_people(db)
