"""Nothing counts as settled while an event is in an outbox, on a topic, or a mail unsent."""

from collections.abc import Mapping

import pytest
import pytest_asyncio
import sqlalchemy as sa

from demo import quiet
from shared.db import Database
from tests.conftest import MakeDatabase

UNPUBLISHED = "INSERT INTO outbox (topic) VALUES ('purchases')"
PUBLISHED = """
    INSERT INTO outbox (topic, published_at, partition, kafka_offset)
    VALUES ('purchases', now(), 3, 8), ('purchases', now(), 3, 9)
"""
APPLIED = "INSERT INTO consumer_offset (topic, partition, next_offset) VALUES ('purchases', 3, {})"
QUEUED = """
    INSERT INTO message (message_id, member_id, topic, channel, template, cause_id, caused_at,
        template_values, state, created_at, not_before)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'offers', 'email', 'offers', gen_random_uuid(),
        now(), '{}', 'queued', now(), now())
"""


@pytest_asyncio.fixture
async def databases(make_database: MakeDatabase) -> Mapping[str, Database]:
    """Make three services' databases, with nothing under way."""
    return {name: await make_database(name) for name in ("ingest", "loyalty", "notify")}


async def _run(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(sa.text(statement))


async def test_an_unpublished_event_is_under_way(databases: Mapping[str, Database]) -> None:
    assert await quiet.events_under_way(databases) == 0

    await _run(databases["ingest"], UNPUBLISHED)

    assert await quiet.events_under_way(databases) == 1


@pytest.mark.parametrize(("next_offset", "under_way"), [(7, 3), (9, 1), (10, 0), (12, 0)])
async def test_a_published_event_is_under_way_until_its_consumer_is_past_it(
    databases: Mapping[str, Database], next_offset: int, under_way: int
) -> None:
    await _run(databases["ingest"], PUBLISHED)
    await _run(databases["loyalty"], APPLIED.format(next_offset))

    assert await quiet.events_under_way(databases) == under_way


async def test_waiting_ends_with_a_sentence(databases: Mapping[str, Database]) -> None:
    await _run(databases["notify"], QUEUED)
    told: list[str] = []

    await quiet.wait(databases, deadline_s=20, tell=told.append)
    with pytest.raises(TimeoutError, match="0 events and 1 messages"):
        await quiet.wait(databases, deadline_s=0.3, tell=told.append, messages=True)
    assert told[0] == "0 events"
