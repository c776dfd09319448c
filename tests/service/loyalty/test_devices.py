"""Devices: enrolled once, listed, revoked; their secrets are stored nowhere."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from services.loyalty.domain import appcodes
from services.loyalty.handlers import devices as handlers
from services.loyalty.store import tables
from shared.db import Tx
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.phones import enrol, enrol_phone
from tests.service.loyalty.test_erasure import everything


async def test_the_secret_is_shown_once_per_key_and_stored_nowhere(desk: Desk) -> None:
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/devices"
        headers = {"Idempotency-Key": "phone-1"}
        first = await client.post(path, json={"name": "Ann's phone"}, headers=headers)
        again = await client.post(path, json={"name": "Ann's phone"}, headers=headers)
        listed = await client.get(path)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [one["device_id"] for one in listed.json()["data"]] == [first.json()["device_id"]]
    assert "secret" not in listed.text
    assert first.json()["secret"] not in await everything(desk, but="")


async def test_an_enrolment_without_a_key_is_refused(desk: Desk) -> None:
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/devices"
        answer = await client.post(path, json={})

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert await desk.rows(tables.device) == []


async def test_the_server_makes_the_code_that_the_phone_shows(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrol(client, "9840001234")
        phone = await enrol_phone(client, member_id)
        body = {"device_id": phone.answer["device_id"]}
        answer = (await client.post(f"/v1/members/{member_id}/app-codes", json=body)).json()

    step = appcodes.step_at(NOW)
    assert answer["code"] == phone.code(NOW)
    assert answer["valid_from"] == appcodes.step_begins(step).isoformat().replace("+00:00", "Z")
    assert answer["valid_until"] == (
        appcodes.step_begins(step + 1).isoformat().replace("+00:00", "Z")
    )


async def test_a_device_of_another_member_is_not_found(desk: Desk) -> None:
    async with desk.client() as client:
        phone = await enrol_phone(client, await enrol(client, "9840001234"))
        other = f"/v1/members/{await enrol(client, '9840005678')}"
        answers = [
            await client.post(f"{other}/app-codes", json={"device_id": phone.answer["device_id"]}),
            await client.delete(f"{other}/devices/{phone.answer['device_id']}"),
            await client.delete(f"{other}/devices/{uuid4()}"),
        ]
        nobody = await client.get(f"/v1/members/{uuid4()}/devices")

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "device_unknown")}
    assert (nobody.status_code, nobody.json()["code"]) == (404, "member_unknown")
    assert [row.revoked_at for row in await desk.rows(tables.device)] == [None]


async def test_revoking_ends_a_device_once_and_its_codes_at_once(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrol(client, "9840001234")
        phone = await enrol_phone(client, member_id)
        path = f"/v1/members/{member_id}/devices/{phone.answer['device_id']}"
        first = await client.delete(path)
        desk.clock.advance(timedelta(seconds=1))
        again = await client.delete(path)
        body = {"device_id": phone.answer["device_id"]}
        made = await client.post(f"/v1/members/{member_id}/app-codes", json=body)
        found = await client.get("/v1/members:lookup", params={"app_code": phone.code(NOW)})

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["revoked_at"] is not None
    assert again.json() == first.json()
    assert (made.status_code, made.json()["code"]) == (404, "device_unknown")
    assert (found.status_code, found.json()["code"]) == (403, "app_code_refused")


async def test_a_member_has_ten_devices_at_most_however_many_enrol_at_once(desk: Desk) -> None:
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/devices"
        answers = await asyncio.gather(
            *(
                client.post(path, json={}, headers={"Idempotency-Key": f"phone-{n}"})
                for n in range(12)
            )
        )
        refused = [one for one in answers if one.status_code == 409]
        gone = await client.delete(f"{path}/{refused[0].json()['active'][0]}")
        again = await client.post(path, json={}, headers={"Idempotency-Key": "phone-12"})

    assert len(refused) == 2
    assert {one.json()["code"] for one in refused} == {"too_many_devices"}
    assert (gone.status_code, again.status_code) == (200, 201)
    assert len({row.number for row in await desk.rows(tables.device)}) == 11


async def test_of_revoked_devices_the_last_are_kept(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = UUID(await enrol(client, "9840001234"))

    async def enrol_and_revoke(tx: Tx) -> None:
        device = await handlers.enrol_device(tx, member_id, None, desk.context)
        await handlers.revoke_device(tx, member_id, device.device_id, desk.context)

    for _ in range(handlers.REVOKED_KEPT + 3):
        async with desk.db.transaction() as tx:
            await enrol_and_revoke(tx)

    assert len(await desk.rows(tables.device)) == handlers.REVOKED_KEPT + 1


async def test_erasing_a_member_deletes_their_devices(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrol(client, "9840001234")
        phone = await enrol_phone(client, member_id)
        await client.post(f"/v1/members/{member_id}:erase")
        answer = await client.get("/v1/members:lookup", params={"app_code": phone.code(NOW)})

    assert await desk.rows(tables.device) == []
    assert "Ann's phone" not in await everything(desk)
    assert (answer.status_code, answer.json()["code"]) == (403, "app_code_refused")


async def test_only_an_app_makes_codes(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrol(client, "9840001234")
        phone = await enrol_phone(client, member_id)
    path, body = f"/v1/members/{member_id}", {"device_id": phone.answer["device_id"]}
    for role in ("terminal", "staff", "admin"):
        async with desk.client(role) as client:
            enrolling = await client.post(
                f"{path}/devices", json={}, headers={"Idempotency-Key": "x"}
            )
            making = await client.post(f"{path}/app-codes", json=body)

        assert (enrolling.status_code, making.status_code) == (403, 403)
