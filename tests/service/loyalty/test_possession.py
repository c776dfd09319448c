"""Phone earns, possession spends: what identifies a member, and what proves that they are there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from services.loyalty.domain.appcodes import PERIOD_S
from services.loyalty.domain.possession import Claim, Possession
from services.loyalty.handlers import devices, possession
from shared.auth import Caller
from shared.db import run_unit
from shared.errors import Malformed, Refused
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.phones import Phone, enrol, enrol_phone
from tests.service.waiting import until_one_waits

TILL = Caller("till", "terminal", "0042")
APP = Caller("app", "app")


@dataclass(frozen=True)
class Counter:
    """A desk with two members; Ann has a phone."""

    desk: Desk
    app: httpx.AsyncClient
    ann: UUID
    bob: UUID
    phone: Phone

    async def prove(self, kind: str, value: str, caller: Caller = TILL) -> Possession:
        return await self.prove_of(self.ann, kind, value, caller)

    async def prove_of(
        self, member_id: UUID, kind: str, value: str, caller: Caller = TILL
    ) -> Possession:
        claim = Claim(member_id, kind, value)
        return await run_unit(
            self.desk.db, lambda tx: possession.prove(tx, claim, caller, self.desk.context)
        )

    async def refused(self, kind: str, value: str, caller: Caller = TILL) -> tuple[int, str]:
        with pytest.raises(Refused) as caught:
            await self.prove(kind, value, caller)
        return caught.value.status, caught.value.code

    def code(self) -> str:
        return self.phone.code(self.desk.clock.now())

    def wrong_code(self, n: int = 0) -> str:
        right = self.code()
        return f"{right[:8]}{(int(right[8:]) + 1 + n) % 10**8:08d}"


@pytest_asyncio.fixture(name="counter")
async def open_counter(desk: Desk) -> AsyncIterator[Counter]:
    async with desk.client() as client:
        ann, bob = await enrol(client, "9840001234"), await enrol(client, "9840005678")
        yield Counter(desk, client, UUID(ann), UUID(bob), await enrol_phone(client, ann))


async def test_a_card_proves_and_what_can_be_said_only_recognises(counter: Counter) -> None:
    for kind, value, proven in (
        ("card", " 9840001234 ", True),
        ("phone", "+1 (202) 555-1234", False),
        ("email", "ANN9840001234@example.org", False),
        ("app_id", "app-9840001234", False),
        ("member_id", str(counter.ann), False),
    ):
        assert await counter.prove(kind, value) == Possession(counter.ann, kind, proven)
        assert (await counter.prove(kind, value, APP)).proven, "an app acts for its member"


async def test_what_is_not_this_members_is_refused_whose_ever_it_is(counter: Counter) -> None:
    for kind, value in (
        ("card", "9840005678"),
        ("card", "1"),
        ("phone", "+12025555678"),
        ("email", "nobody@example.org"),
        ("app_id", "9840001234"),
        ("member_id", str(counter.bob)),
    ):
        for caller in (TILL, APP):
            assert await counter.refused(kind, value, caller) == (404, "not_identified")


async def test_what_can_be_no_identifier_is_malformed(counter: Counter) -> None:
    for kind, value in (("app_code", "12"), ("phone", "12"), ("email", "x"), ("member_id", "1")):
        with pytest.raises(Malformed):
            await counter.prove(kind, value)


async def test_a_code_proves_possession_and_is_used_up(counter: Counter) -> None:
    shown = await counter.prove("app_code", f"app:{counter.code()}")

    assert shown.proven
    assert shown.device_id == UUID(counter.phone.answer["device_id"])
    assert await counter.refused("app_code", counter.code()) == (403, "app_code_refused")
    counter.desk.clock.advance(timedelta(seconds=PERIOD_S))
    assert (await counter.prove("app_code", counter.code())).proven


async def test_an_older_code_is_no_good_once_a_newer_one_was_used(counter: Counter) -> None:
    older = counter.phone.code(NOW - timedelta(seconds=PERIOD_S))
    await counter.prove("app_code", counter.code())

    assert await counter.refused("app_code", older) == (403, "app_code_refused")


async def test_of_twenty_tills_that_show_one_code_at_once_one_gets_it(counter: Counter) -> None:
    code = counter.code()
    answers = await asyncio.gather(
        *(counter.prove("app_code", code) for _ in range(20)), return_exceptions=True
    )

    refused = [one for one in answers if isinstance(one, Refused)]
    assert len(refused) == 19
    assert {one.code for one in refused} == {"app_code_refused"}


async def test_a_hold_that_fails_leaves_the_code_good(counter: Counter) -> None:
    claim = Claim(counter.ann, "app_code", counter.code())
    async with counter.desk.db.engine.connect() as tx:
        assert (await possession.prove(tx, claim, TILL, counter.desk.context)).proven
        await tx.rollback()

    assert (await counter.prove("app_code", counter.code())).proven


async def test_another_members_code_is_refused_and_stays_good(counter: Counter) -> None:
    with pytest.raises(Refused) as caught:
        await counter.prove_of(counter.bob, "app_code", counter.code())

    assert (caught.value.status, caught.value.code) == (404, "not_identified")
    assert (await counter.prove("app_code", counter.code())).proven


async def test_a_phone_may_be_a_minute_wrong(counter: Counter) -> None:
    for wrong_s in (-PERIOD_S, PERIOD_S):
        counter.desk.clock.advance(timedelta(hours=1))
        code = counter.phone.code(counter.desk.clock.now() + timedelta(seconds=wrong_s))
        assert (await counter.prove("app_code", code)).proven

    late = counter.phone.code(counter.desk.clock.now() + timedelta(seconds=2 * PERIOD_S))
    assert await counter.refused("app_code", late) == (403, "app_code_refused")


async def test_wrong_unknown_and_revoked_are_one_answer(counter: Counter) -> None:
    wrong = await counter.refused("app_code", counter.wrong_code())
    unknown = await counter.refused("app_code", f"10000000{counter.code()[8:]}")
    device_id = UUID(counter.phone.answer["device_id"])
    await run_unit(
        counter.desk.db,
        lambda tx: devices.revoke_device(tx, counter.ann, device_id, counter.desk.context),
    )
    revoked = await counter.refused("app_code", counter.code())

    assert {wrong, unknown, revoked} == {(403, "app_code_refused")}


async def test_a_code_is_refused_that_waited_while_its_device_was_revoked(
    counter: Counter,
) -> None:
    device_id = UUID(counter.phone.answer["device_id"])
    async with counter.desk.db.transaction() as tx, asyncio.TaskGroup() as group:
        await devices.revoke_device(tx, counter.ann, device_id, counter.desk.context)
        proving = group.create_task(counter.refused("app_code", counter.code()))
        await until_one_waits(counter.desk.db)
        await tx.commit()

    assert proving.result() == (403, "app_code_refused")


async def test_a_device_that_is_guessed_at_is_shut_even_for_the_right_code(
    counter: Counter,
) -> None:
    for n in range(10):
        # Each from another till, so that it is the device that has had enough.
        till = replace(TILL, key_id=f"till {n}")
        assert await counter.refused("app_code", counter.wrong_code(n), till) == (
            403,
            "app_code_refused",
        )

    with pytest.raises(Refused) as caught:
        await counter.prove("app_code", counter.code())
    assert (caught.value.status, caught.value.code) == (429, "too_many_codes")
    assert 800 < float(str(caught.value.extra["retry_after_s"])) <= 900


async def test_a_till_that_guesses_at_many_devices_is_shut_alone(counter: Counter) -> None:
    for n in range(20):
        assert (await counter.refused("app_code", f"{20_000_000 + n}00000000"))[0] == 403

    assert await counter.refused("app_code", counter.code()) == (429, "too_many_codes")
    assert (await counter.prove("app_code", counter.code(), replace(TILL, key_id="next"))).proven


async def test_a_code_that_was_used_does_not_count_as_a_guess(counter: Counter) -> None:
    await counter.prove("app_code", counter.code())
    answers = {await counter.refused("app_code", counter.code()) for _ in range(25)}

    assert answers == {(403, "app_code_refused")}


async def test_who_was_erased_can_not_be_identified(counter: Counter) -> None:
    code = counter.code()
    await counter.app.post(f"/v1/members/{counter.ann}:erase")

    for kind, value in (
        ("member_id", str(counter.ann)),
        ("card", "9840001234"),
        ("app_code", code),
    ):
        assert await counter.refused(kind, value) == (404, "member_unknown")


async def test_the_limit_of_the_settings_is_asked(counter: Counter) -> None:
    generous = replace(
        counter.desk.context,
        settings=counter.desk.context.settings.model_copy(update={"recognised_max_points": 50}),
    )
    recognised = await counter.prove("phone", "+12025551234")

    possession.require_possession(recognised, 50, generous)
    with pytest.raises(Refused, match="possession_required"):
        possession.require_possession(recognised, 51, generous)
    with pytest.raises(Refused, match="possession_required"):
        possession.require_possession(recognised, 1, counter.desk.context)


async def test_a_till_finds_the_member_by_a_code_and_the_code_stays_good(
    counter: Counter,
) -> None:
    async with counter.desk.client("terminal") as till:
        query = {"app_code": counter.code()}
        answers = [await each.get("/v1/members:lookup", params=query) for each in (till, till)]

    assert [one.json()["member_id"] for one in answers] == [str(counter.ann)] * 2
    assert {one.json()["name"] for one in answers} == {"Ann L."}
    assert (await counter.prove("app_code", counter.code())).proven
