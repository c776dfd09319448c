"""How far each consumer group is, as Kafka was told: a hint, for screens and event status."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from shared.kafka import client
from shared.kafka.client import TopicPartition

ANSWER_TIMEOUT_S = 2.0
REMEMBER_S = 1.0
REMEMBERED_MAX = 1_000

_Key = tuple[str, tuple[str, ...], str, int]
_remembered: dict[_Key, tuple[float, dict[str, int | None]]] = {}


async def group_positions(
    bootstrap: str, groups: Iterable[str], topic: str, partition: int
) -> dict[str, int | None]:
    """Return the next offset of each consumer group at one partition, as Kafka knows it.

    At most a second or two behind the truth in the services' databases, never ahead of it. None
    where the group has not read there. Raises ``Unavailable`` within two seconds.
    """
    key = (bootstrap, tuple(sorted(groups)), topic, partition)
    at, positions = _remembered.get(key, (0.0, {}))
    if monotonic() - at < REMEMBER_S and positions:
        return positions
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            positions = await _ask(bootstrap, key[1], TopicPartition(topic, partition))
    except (TimeoutError, client.KafkaError, OSError) as error:
        message = "Kafka does not tell how far its groups are."
        raise client.unavailable(message) from error
    if len(_remembered) >= REMEMBERED_MAX:
        _remembered.clear()
    _remembered[key] = (monotonic(), positions)
    return positions


async def _ask(
    bootstrap: str, groups: Iterable[str], where: TopicPartition
) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    async with client.admin(bootstrap) as admin:
        for group in groups:
            offsets = await admin.list_consumer_group_offsets(group, partitions=[where])
            offset = offsets[where].offset if where in offsets else -1
            found[group] = offset if offset >= 0 else None
    return found
