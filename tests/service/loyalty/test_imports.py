"""Imports at loyalty: members and opening lots, each once, explained, and nobody is told."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.loyalty.api.imports import KINDS
from services.loyalty.store import tables
from shared import identity
from shared.db.plumbing import outbox
from shared.imports import working
from shared.imports.tables import import_row
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import IDENTITY_KEY, Desk

CSV, NDJSON = "text/csv", "application/x-ndjson"
EARNED, EXPIRES = NOW - timedelta(days=100), NOW + timedelta(days=200)


@pytest_asyncio.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.client("admin") as opened:
        yield opened


class Files:
    """Sends files to a desk and has them applied."""

    def __init__(self, desk: Desk, client: httpx.AsyncClient) -> None:
        self.desk = desk
        self.client = client

    async def take(
        self, kind: str, rows: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Import rows as NDJSON; return the report."""
        text = "".join(json.dumps(row, default=str) + "\n" for row in rows)
        return await self.take_text(kind, text, NDJSON, dry_run=dry_run)

    async def take_text(
        self, kind: str, text: str, media_type: str = CSV, *, dry_run: bool = False
    ) -> dict[str, Any]:
        begun = await self.client.post(
            f"/v1/imports/{kind}",
            params={"dry_run": dry_run},
            headers={"Content-Type": media_type},
            content=text.encode(),
        )
        assert begun.status_code == 202, begun.text
        await working.work(self.desk.context, {kind.name: kind for kind in KINDS}, for_s=30)
        return await self.read(f"/v1/imports/{begun.json()['import_id']}")

    async def problems(self, report: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        page = await self.read(report["problems_url"])
        return [(one["row"], one["field"], one["code"]) for one in page["data"]]

    async def read(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def member(self, **known_by: str) -> dict[str, Any]:
        return await self.read("/v1/members:lookup", **known_by)


@pytest.fixture
def files(desk: Desk, client: httpx.AsyncClient) -> Files:
    return Files(desk, client)


def ada(**changes: Any) -> dict[str, Any]:
    return {
        "external_id": "A1",
        "identifiers": [{"kind": "card", "value": "9840001234"}],
        "name": "Ada Example",
        "email": "Ada@Example.org",
        "enrolled_at": "2020-05-01T10:00:00Z",
    } | changes


def lot(reference: str = "old-1", **changes: Any) -> dict[str, Any]:
    return {
        "reference": reference,
        "member": {"external_id": "A1"},
        "points": 120,
        "earned_at": EARNED.isoformat(),
        "expires_at": EXPIRES.isoformat(),
    } | changes


async def told(desk: Desk, topic: str) -> list[Any]:
    return list(await desk.published(topic))


def outcome(report: Mapping[str, Any]) -> tuple[int, int, int]:
    return report["rows_applied"], report["rows_unchanged"], report["rows_invalid"]


async def test_a_member_is_enrolled_with_all_that_the_file_says(desk: Desk, files: Files) -> None:
    report = await files.take("members", [ada()])

    member = await files.member(card="9840001234")
    assert outcome(report) == (1, 0, 0)
    assert member == await files.member(email="ada@example.org")
    assert member == await files.member(external_id="A1")
    assert (member["name"], member["email"], member["version"]) == (
        "Ada Example",
        "ada@example.org",
        1,
    )
    assert member["enrolled_at"] == "2020-05-01T10:00:00Z"


async def test_members_are_published_without_personal_data_and_marked(
    desk: Desk, files: Files
) -> None:
    await files.take("members", [ada()])

    (state,) = await told(desk, "members")
    (contact,) = await told(desk, "member-contacts")
    assert state.data.imported
    assert contact.data.email == "ada@example.org"
    hashed = identity.identifier_hmac(bytes.fromhex(IDENTITY_KEY), "card", "9840001234")
    assert hashed in {one.hmac for one in state.data.identifiers}
    assert "example.org" not in state.model_dump_json()


async def test_the_same_file_of_members_again_changes_nothing(desk: Desk, files: Files) -> None:
    rows = [ada(), *({"external_id": f"B{number}", "name": "B"} for number in range(700))]
    first = await files.take("members", rows)
    before = len(await desk.rows(outbox))

    again = await files.take("members", rows)

    assert outcome(first) == (701, 0, 0)
    assert outcome(again) == (0, 701, 0)
    assert len(await desk.rows(outbox)) == before
    assert len(await desk.rows(tables.member)) == 701


async def test_a_dry_run_of_members_and_lots_writes_nothing(desk: Desk, files: Files) -> None:
    rehearsed = await files.take("members", [ada()], dry_run=True)
    assert outcome(rehearsed) == (1, 0, 0)
    for table in (tables.member, tables.identifier, outbox, import_row):
        assert not await desk.rows(table), table.name

    await files.take("members", [ada()])
    before = len(await desk.rows(outbox))
    rehearsed = await files.take("lots", [lot()], dry_run=True)

    assert outcome(rehearsed) == (1, 0, 0)
    assert len(await desk.rows(outbox)) == before
    for table in (tables.entry, tables.lot, tables.opening_lot, tables.account):
        assert not await desk.rows(table), table.name


async def test_an_import_adds_what_is_missing_and_keeps_what_a_member_said_since(
    desk: Desk, files: Files
) -> None:
    async with desk.client("app") as app:
        enrolled = await app.post(
            "/v1/members",
            json={"name": "Ada Now", "identifiers": [{"kind": "card", "value": "9840001234"}]},
        )

    report = await files.take("members", [ada()])

    member = await files.member(external_id="A1")
    assert outcome(report) == (1, 0, 0)
    assert member["member_id"] == enrolled.json()["member_id"]
    assert (member["name"], member["email"]) == ("Ada Now", "ada@example.org")
    assert member["version"] == 2
    newest = (await told(desk, "members"))[-1]
    assert (newest.data.version, len(newest.data.identifiers)) == (2, 2)
    assert not newest.data.imported


async def test_rows_about_one_person_in_one_file_are_one_member(desk: Desk, files: Files) -> None:
    second = {"external_id": "A1", "identifiers": [{"kind": "card", "value": "222"}]}

    report = await files.take("members", [ada(), second, ada()])

    assert outcome(report) == (2, 1, 0)
    assert (await files.member(card="222")) == (await files.member(card="9840001234"))
    (state,) = await told(desk, "members")
    assert (state.data.version, len(state.data.identifiers)) == (1, 3)


async def test_what_belongs_to_two_members_is_refused_by_name(desk: Desk, files: Files) -> None:
    await files.take("members", [ada(), {"external_id": "B1", "phone": "+12025550123"}])
    rows = [
        {"external_id": "C1", "email": "ada@example.org"},
        {"external_id": "A1", "phone": "+12025550123"},
        {"email": "ada@example.org", "phone": "+12025550123"},
        {"external_id": "D1"},
    ]

    report = await files.take("members", rows)

    assert outcome(report) == (1, 0, 3)
    assert await files.problems(report) == [
        (1, "email", "identifier_taken"),
        (2, "phone", "identifier_taken"),
        (3, "email", "identifier_taken"),
        (3, "phone", "identifier_taken"),
    ]


async def test_bad_rows_of_members_are_named_by_field(files: Files) -> None:
    rows = [
        {"name": "Nobody"},
        {"external_id": "A", "phone": "12"},
        {"external_id": "B", "birth_date": "31.12.1990"},
        {"external_id": "C", "nickname": "x"},
        {"external_id": "E"},
    ]

    report = await files.take("members", rows)

    assert outcome(report) == (1, 0, 4)
    assert await files.problems(report) == [
        (1, None, "invalid_request"),
        (2, "member.phone", "identifier_malformed"),
        (3, "birth_date", "invalid_request"),
        (4, "nickname", "invalid_request"),
    ]


async def test_a_csv_file_of_members_carries_consent_with_its_evidence(
    desk: Desk, files: Files
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["external_id", "card", "name", "email", "consent_email_at", "consent_wording_id"]
    )
    writer.writerow(["A1", "1", "Example, Ada", "a@example.org", "2024-01-02T03:04:05Z", "news-7"])
    writer.writerow(["A2", "2", "", "b@example.org", "", ""])

    report = await files.take_text("members", text.getvalue())
    again = await files.take_text("members", text.getvalue())

    assert (outcome(report), outcome(again)) == ((2, 0, 0), (0, 2, 0))
    given, repeated = await told(desk, "interactions")
    assert given.id == repeated.id, "whoever has it drops the second"
    assert (given.data.purpose, given.data.channel) == ("marketing", "email")
    evidence = given.data.evidence
    assert (evidence.wording_id, evidence.source) == ("news-7", "import")
    assert evidence.recorded_at.isoformat() == "2024-01-02T03:04:05+00:00"
    assert (await files.member(card="1"))["name"] == "Example, Ada"


async def test_an_opening_lot_is_posted_once_balances_and_says_where_it_is_from(
    desk: Desk, files: Files
) -> None:
    await files.take("members", [ada()])

    first = await files.take("lots", [lot(), lot("old-2", points=30)])
    again = await files.take("lots", [lot(), lot("old-2", points=30)])

    assert (outcome(first), outcome(again)) == ((2, 0, 0), (0, 2, 0))
    member = (await files.member(external_id="A1"))["member_id"]
    balance = await files.read(f"/v1/members/{member}/balance")
    assert (balance["available"], balance["next_expiry"]["points"]) == (150, 150)
    newest, oldest = (await files.read(f"/v1/members/{member}/entries"))["data"]
    assert (oldest["points"], newest["points"], newest["available_after"]) == (120, 30, 150)
    words = "Brought over from the previous programme: 120 points."
    assert (oldest["explain"]["words"], oldest["explain"]["why"]) == (words, "opening")
    lots = (await files.read(f"/v1/members/{member}/lots"))["data"]
    assert {one["remaining"] for one in lots} == {30, 120}
    assert (await desk.audit()).ok
    sides = {(row.from_account, row.to_account) for row in await desk.rows(tables.entry)}
    assert sides == {("opening", "available")}
    assert [event.type for event in await told(desk, "loyalty")] == ["points.opened.v1"] * 2


async def test_a_lot_that_can_not_be_taken_over_says_why(files: Files) -> None:
    await files.take("members", [ada()])
    await files.take("lots", [lot()])
    rows = [
        lot("old-2", member={"card": "nobody's"}),
        lot(points=121),
        lot("old-3", expires_at=(NOW - timedelta(days=1)).isoformat()),
        lot("old-4", points=0),
        lot("old-5", member={"card": "9840001234", "external_id": "A1"}),
        lot("old-6", expires_at=(EARNED - timedelta(days=1)).isoformat()),
        lot("old-7", member={"card": "9840001234"}),
    ]

    report = await files.take("lots", rows)

    assert outcome(report) == (1, 0, 6)
    assert await files.problems(report) == [
        (1, "card", "member_unknown"),
        (2, "points", "lot_conflict"),
        (3, "expires_at", "lot_expired"),
        (4, "points", "invalid_request"),
        (5, "member", "invalid_request"),
        (6, None, "invalid_request"),
    ]


async def test_books_close_when_opening_lots_and_purchases_meet(desk: Desk, files: Files) -> None:
    await files.take("members", [ada()])
    member = (await files.member(external_id="A1"))["member_id"]
    sale = builders.purchase_recorded(member_id=member)
    await desk.apply(sale)

    await files.take("lots", [lot()])
    await desk.apply(builders.purchase_voided(sale.data))

    assert (await files.read(f"/v1/members/{member}/balance"))["available"] == 120
    assert (await desk.audit()).ok


async def test_a_return_of_an_imported_receipt_is_news(desk: Desk) -> None:
    sale = builders.receipt(imported=True)
    await desk.apply(builders.purchase_recorded(sale))

    await desk.apply(builders.purchase_voided(sale))

    earned, returned = await told(desk, "loyalty")
    assert (earned.data.imported, returned.data.imported) == (True, False)
