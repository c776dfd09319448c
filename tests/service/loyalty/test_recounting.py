"""Another measure or window of tiers in a programme that runs: refused, until all is recounted."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml

from services.loyalty import jobs
from services.loyalty.domain.ladder import Tier, TierPolicy
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.tiers import first_relevant
from services.loyalty.handlers import tiers
from services.loyalty.store import tables
from services.loyalty.store.tier_counting import tier_counting
from shared.contracts.purchases import ReturnedLine
from shared.db import run_unit
from shared.errors import Unavailable
from tests import builders
from tests.builders import NOW
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import IDENTITY_KEY, Desk
from tests.service.waiting import until_one_waits
from tests.unit.loyalty import programmes

MEMBERS = 6
SINCE = NOW - timedelta(days=800)


def counting(policy: TierPolicy) -> Programme:
    reached = {"spend": (10_000, 30_000), "visits": (4, 9), "points": (1_500, 4_000)}
    silver, gold = reached[policy.measure]
    version = programmes.version(since=SINCE)
    return programmes.small(version, policy=policy, tiers=(Tier("A", silver), Tier("B", gold)))


BY_SPEND = counting(TierPolicy(grace_days=40, notice_days=10))
ROLLING = counting(TierPolicy(rolling_months=4, grace_days=40))
BY_VISITS = counting(TierPolicy(measure="visits", grace_days=40))
BY_POINTS = counting(TierPolicy(measure="points", rolling_months=6, grace_days=90))


class Shop:
    """A ledger, members who buy in it, and two of them who are one in the end."""

    def __init__(self, desk: Desk, member_ids: Sequence[UUID]) -> None:
        self.desk, self.member_ids = desk, member_ids

    @classmethod
    async def open(cls, desk: Desk) -> "Shop":
        async with desk.client("admin") as client:
            answers = [await client.post("/v1/members", json={}) for _ in range(MEMBERS)]
        return cls(desk, [UUID(answer.json()["member_id"]) for answer in answers])

    async def merge(self, one: int, into: int) -> None:
        path = f"/v1/members/{self.member_ids[one]}:merge"
        body, headers = {"into": str(self.member_ids[into])}, {"Idempotency-Key": uuid4().hex}
        async with self.desk.client("admin") as client:
            answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text

    def history(self, seed: int) -> list[Any]:
        """Return sales of two years, what came back of them, and some that found another owner."""
        chance, events = random.Random(seed), list[Any]()
        for number in range(120):
            line = builders.line(category="BREAD", amount_minor=chance.randint(5, 60) * 100)
            event: Any = builders.purchase_recorded(
                receipt_no=str(number),
                occurred_at=NOW
                - timedelta(days=chance.randint(1, 700), hours=chance.randint(0, 23)),
                member_id=chance.choice(self.member_ids),
                lines=[line, builders.line(2, category="FUEL", amount_minor=700)],
            )
            events.append(event)
            for after in range(chance.choice([0, 0, 1, 2])):
                left = event.data.lines[0].amount_minor
                paid = left if chance.random() < 0.3 else chance.randint(0, left)
                back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=paid)]
                at = event.data.occurred_at + timedelta(days=9 * after + 1)
                event = builders.purchase_returned(event.data, back, time=at)
                events.append(event)
            if chance.random() < 0.1:
                events.append(
                    builders.purchase_attributed(event.data, chance.choice(self.member_ids))
                )
        return events

    async def apply(self, events: Sequence[Any]) -> None:
        for at in range(0, len(events), 40):
            await self.desk.apply(*events[at : at + 40])

    async def recount(self) -> int:
        desk = self.desk
        ladder, now = desk.context.programme.ladder, desk.clock.now()
        return await run_unit(desk.db, lambda tx: tiers.recount(tx, ladder, now))

    async def counted(self) -> dict[str, Any]:
        """Return what must not depend on when the rules became what they are."""
        await jobs.review_tiers(self.desk.context)
        # Who takes over counts what can still matter.
        since = first_relevant(self.desk.context.programme.ladder, NOW)
        who = {key: number for number, key in enumerate(self.member_ids)}
        sums = {
            (who[row.member_id], row.year): (row.amount_minor, row.returned_minor)
            for row in await self.desk.rows(tables.qualifying_spend)
            if (row.amount_minor or row.returned_minor) and row.year >= since
        }
        periods = {row.receipt_id: row.year for row in await self.desk.rows(tables.receipt)}
        accounts = await self.desk.rows(tables.account)
        standing = {who[row.member_id]: (row.tier, row.tier_review_at) for row in accounts}
        return {"sums": sums, "periods": periods, "tiers": standing}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BY_SPEND, ROLLING),
        (ROLLING, BY_SPEND),
        (BY_SPEND, BY_VISITS),
        (BY_VISITS, BY_POINTS),
        (BY_POINTS, BY_SPEND),
    ],
    ids=["calendar-rolling", "rolling-calendar", "spend-visits", "visits-points", "points-spend"],
)
async def test_recounted_is_as_if_it_had_always_been_so(
    desk: Desk, make_database: MakeDatabase, before: Programme, after: Programme
) -> None:
    changing = await Shop.open(desk.under(before))
    always = await Shop.open(Desk(await make_database("loyalty")).under(after))
    for shop in (changing, always):
        await shop.apply(shop.history(1)[:150])
        await shop.merge(0, 1)
        await shop.merge(1, 2)
        await shop.apply(shop.history(1)[150:])
    desk.under(after)
    with pytest.raises(Unavailable, match="recount-tiers"):
        await changing.apply(changing.history(1)[:1])

    assert await changing.recount() >= MEMBERS - 1

    expected = await always.counted()
    assert await changing.counted() == expected
    assert len({tier for tier, _ in expected["tiers"].values()}) > 1
    for shop in (changing, always):
        await shop.apply(shop.history(1)[60:] + shop.history(2)[100:])
    assert await changing.counted() == await always.counted()
    assert (await desk.audit()).ok


async def test_nothing_is_settled_or_shown_by_sums_of_another_measure(desk: Desk) -> None:
    shop = await Shop.open(desk.under(BY_SPEND))
    await shop.apply(shop.history(1)[:10])
    desk.under(BY_VISITS)
    card = {"points": 1, "member_id": str(shop.member_ids[0]), "reason": "goodwill"}

    async with desk.client("admin") as client:
        answers = [
            await client.get(f"/v1/members/{shop.member_ids[0]}/balance"),
            await client.post(
                "/v1/adjustments", json=card, headers={"Idempotency-Key": uuid4().hex}
            ),
        ]
        told = answers[0].json()
        assert {(one.status_code, one.json()["code"]) for one in answers} == {
            (503, "tiers_counted_otherwise")
        }
        await shop.recount()
        answer = await client.get(f"/v1/members/{shop.member_ids[0]}/balance")

    assert told["detail"] == (
        "The file counts tiers by visits by year, the database by spend by year: "
        "run `python -m services.loyalty recount-tiers`, or correct the file."
    )
    assert answer.status_code == 200


async def test_a_process_that_read_the_rules_before_the_recount_settles_nothing(desk: Desk) -> None:
    shop = await Shop.open(desk.under(BY_SPEND))
    await shop.apply(shop.history(1)[:10])
    async with desk.db.transaction() as tx:
        await tiers.recount(tx, ROLLING.ladder, NOW)
        # It has seen nothing of this, and waits for the accounts.
        late = asyncio.create_task(shop.apply(shop.history(1)[10:20]))
        await until_one_waits(desk.db)

    with pytest.raises(Unavailable, match="tiers_counted_otherwise"):
        await late

    assert len(await desk.rows(tables.receipt)) < len({e.data.receipt_id for e in shop.history(1)})
    assert [row.counted_by for row in await desk.rows(tier_counting)] == ["spend by month"]


async def test_recounting_while_others_settle_loses_nothing(
    desk: Desk, make_database: MakeDatabase
) -> None:
    shop = await Shop.open(desk.under(BY_SPEND))
    events = shop.history(3)
    await shop.apply(events[:20])
    other = Shop(Desk(desk.db).under(BY_VISITS), shop.member_ids)

    async def settle(at: int) -> None:
        with suppress(Unavailable):  # from the recount on, and until their end for who waited long
            await desk.apply(*events[at : at + 5])

    settling = [asyncio.create_task(settle(at)) for at in range(20, 120, 5)]
    await asyncio.gather(other.recount(), *settling)
    await other.apply(events)

    always = Shop(Desk(await make_database("loyalty")).under(BY_VISITS), shop.member_ids)
    await always.apply(events)
    assert await other.counted() == await always.counted()


async def test_a_recount_that_dies_in_the_middle_has_changed_nothing(desk: Desk) -> None:
    shop = await Shop.open(desk.under(BY_SPEND))
    await shop.apply(shop.history(1))
    before = await shop.counted()

    async def dies(tx: Any) -> None:
        await tiers.recount(tx, BY_VISITS.ladder, NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_unit(desk.db, dies)

    assert await shop.counted() == before
    assert [row.counted_by for row in await desk.rows(tier_counting)] == ["spend by year"]
    # And by the same rules, twice, it changes nothing either.
    assert await shop.recount() == await shop.recount()
    assert await shop.counted() == before


async def test_another_length_of_the_window_needs_no_recount(desk: Desk) -> None:
    shop = await Shop.open(desk.under(ROLLING))
    await shop.apply(shop.history(1))

    desk.under(counting(TierPolicy(rolling_months=12)))
    await shop.apply(shop.history(2)[:5])

    assert [row.counted_by for row in await desk.rows(tier_counting)] == ["spend by month"]


async def test_the_command_reads_the_file(desk: Desk, tmp_path: Path) -> None:
    shop = await Shop.open(desk.under(BY_SPEND))
    await shop.apply(shop.history(1))
    document = yaml.safe_load(programmes.DEMO_FILE.read_text("utf-8"))
    document["tier_policy"] = {"measure": "points", "window": {"rolling_months": 6}}
    document["tiers"] = [
        {"name": "Silver", "threshold": 1_500},
        {"name": "Gold", "threshold": 9_000},
    ]
    file = tmp_path / "programme.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    url = desk.db.engine.url.render_as_string(hide_password=False)
    about = {
        "LOYALTY_DATABASE_URL": url,
        "LOYALTY_PROGRAMME_FILE": str(file),
        "IDENTITY_KEY": IDENTITY_KEY,
    }

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.loyalty", "recount-tiers"],
        env={**os.environ, **about},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"the tiers of {MEMBERS} members will be reviewed" in done.stdout
    assert [row.counted_by for row in await desk.rows(tier_counting)] == ["points by month"]
