"""Running numbers that never came."""

from typing import Any

import httpx
import pytest

from services.ingest.store import gaps
from tests.service.ingest.conftest import (
    ADMIN,
    TERMINAL,
    Record,
    as_sale,
    bearer,
    purchase_body,
    void_body,
)

ADMINS = bearer(ADMIN)
URL = "/v1/terminals/0042-03/gaps"


async def _send(record: Record, *numbers: int, **differing: Any) -> None:
    await record(
        *(
            as_sale(purchase_body(f"n{number}", terminal_seq=number, **differing))
            for number in numbers
        )
    )


async def _gaps(client: httpx.AsyncClient, url: str = URL) -> list[tuple[int, int, int]]:
    answer = await client.get(url, headers=ADMINS)
    assert answer.status_code == 200, answer.text
    return [(one["first"], one["last"], one["missing"]) for one in answer.json()["data"]]


async def test_missing_numbers_show_as_ranges_and_late_ones_close_them(
    client: httpx.AsyncClient, record: Record
) -> None:
    await _send(record, 10, 11, 15, 17)
    assert await _gaps(client) == [(16, 16, 1), (12, 14, 3)]
    await _send(record, 13)
    assert await _gaps(client) == [(16, 16, 1), (14, 14, 1), (12, 12, 1)]
    await _send(record, 12, 14, 16, 16)
    assert await _gaps(client) == []


async def test_other_things_that_a_till_sends_have_numbers_too(
    client: httpx.AsyncClient, record: Record
) -> None:
    await _send(record, 1, 3)
    await client.post("/v1/voids", json=void_body(terminal_seq=2))
    assert await _gaps(client) == []


async def test_answer_is_bounded_by_pages_and_by_numbers(
    client: httpx.AsyncClient, record: Record
) -> None:
    top = gaps.LOOK_BACK * 2
    await _send(record, 1, top - 6, top - 4, top - 2, top)
    first = (await client.get(f"{URL}?limit=2", headers=ADMINS)).json()
    rest = await _gaps(client, f"{URL}?limit=2&cursor={first['next_cursor']}")
    assert [one["first"] for one in first["data"]] == [top - 1, top - 3]
    assert rest == [(top - 5, top - 5, 1)]


async def test_terminals_of_one_id_in_two_stores_are_told_apart(
    client: httpx.AsyncClient, record: Record
) -> None:
    await _send(record, 1, 3)
    await _send(record, 1, 2, 5, store_id="0043")
    unclear = await client.get(URL, headers=ADMINS)
    assert (unclear.status_code, unclear.json()["stores"]) == (422, ["0042", "0043"])
    assert await _gaps(client, f"{URL}?store_id=0043") == [(3, 4, 2)]


@pytest.mark.parametrize(
    ("url", "status"),
    [(URL, 200), ("/v1/terminals/0042-04/gaps", 404), (f"{URL}?store_id=0043", 404)],
)
async def test_a_till_sees_its_own_gaps(
    client: httpx.AsyncClient, record: Record, url: str, status: int
) -> None:
    await _send(record, 1, 3)
    assert (await client.get(url, headers=bearer(TERMINAL))).status_code == status


async def test_terminal_that_never_sent_a_number_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(URL, headers=ADMINS)).status_code == 404
