"""Metrics tell what was committed: a batch whose commit fails is not counted for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from deploy.local.postgres import LocalPostgres
from tests.broker.conftest import Bench, until
from tests.broker.purchases import purchase

pytestmark = pytest.mark.kafka

# A sequence is not rolled back, so it tells the first commit from the second.
FAIL_THE_FIRST_COMMIT = """
CREATE SEQUENCE commits;
GRANT USAGE, SELECT ON SEQUENCE commits TO PUBLIC;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('commits') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fail_once AFTER UPDATE ON consumer_offset
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_once();
"""


@asynccontextmanager
async def first_commit_fails(bench: Bench, postgres: LocalPostgres) -> AsyncGenerator[None, None]:
    database = bench.db.engine.url.database
    assert database is not None
    owner = await asyncpg.connect(postgres.url(database))
    try:
        await owner.execute(FAIL_THE_FIRST_COMMIT)
    finally:
        await owner.close()
    yield


async def test_a_batch_whose_commit_fails_is_counted_once(
    bench: Bench, postgres: LocalPostgres
) -> None:
    ann, ben = uuid4(), uuid4()
    await bench.produce_events(purchase(ann, 1), partition=0)
    await bench.produce([(str(ben), b"not an event")], partition=0)
    async with first_commit_fails(bench, postgres), bench.consuming():
        await bench.reaches({str(ann): 100})
        await until(lambda: _counted(bench))
    assert await bench.scalar("SELECT last_value FROM commits") > 1
    assert _count(bench, "perennial_events_total", outcome="applied") == 1
    assert _count(bench, "perennial_events_total", outcome="duplicate") == 0
    assert _count(bench, "perennial_dead_letters_total", reason="malformed") == 1


async def _counted(bench: Bench) -> bool:
    return _count(bench, "perennial_events_total", outcome="applied") > 0


def _count(bench: Bench, name: str, **labels: str) -> float:
    given = {"group": bench.service.name, "topic": bench.topic} | labels
    return REGISTRY.get_sample_value(name, given) or 0
