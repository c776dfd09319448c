"""Creating the topics, and asserting that what exists is what we rely on."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from shared import log
from shared.contracts.topics import DAY_MS, TOMBSTONE_RETENTION_MS, TOPICS, Topic
from shared.errors import Unavailable
from shared.kafka import client
from shared.settings import ServiceSettings

TOPIC_ALREADY_EXISTS = 36
DLQ_RETENTION_DAYS = 28
RECORD_BYTES_MAX = 2 * client.BATCH_BYTES
WAIT_S = 60.0
CREATE_TIMEOUT_MS = 10_000

logger = log.get_logger(__name__)


def dlq(group: str) -> str:
    """Return the name of the topic that mirrors a group's dead letters."""
    return f"{group}.dlq"


def topic_config(topic: Topic | None) -> dict[str, str]:
    """Return the settings of a topic of ours; None for a dead letter topic."""
    config = {"max.message.bytes": str(RECORD_BYTES_MAX)}
    if topic is not None and topic.compacted:
        return config | {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(TOMBSTONE_RETENTION_MS),
        }
    days = DLQ_RETENTION_DAYS if topic is None else topic.retention_days or DLQ_RETENTION_DAYS
    return config | {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


async def ensure(settings: ServiceSettings, group: str) -> None:
    """Create every topic that is missing, and the group's dead letter topic; then check them.

    Waits up to a minute for Kafka to come up. Raises ``Unavailable`` after that, and
    ``RuntimeError`` where a topic exists with another cleanup policy or a shorter retention.
    """
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    async with client.admin(settings.kafka_bootstrap_servers) as admin:
                        await _create(admin, settings, group)
                        await _check(admin, group)
                        return
                except (Unavailable, KafkaError) as error:
                    logger.info("kafka_not_ready", error=repr(error))
                    await asyncio.sleep(1)
    except TimeoutError as error:
        message = f"Kafka at {settings.kafka_bootstrap_servers} did not answer for {WAIT_S:.0f} s."
        raise client.unavailable(message) from error


def _wanted(group: str) -> dict[str, dict[str, str]]:
    configs = {name: topic_config(topic) for name, topic in TOPICS.items()}
    return configs | {dlq(group): topic_config(None)}


async def _create(admin: AIOKafkaAdminClient, settings: ServiceSettings, group: str) -> None:
    new = [
        NewTopic(
            name,
            settings.kafka_partitions,
            settings.kafka_replication_factor,
            topic_configs=config,
        )
        for name, config in _wanted(group).items()
    ]
    answer = await admin.create_topics(new, timeout_ms=CREATE_TIMEOUT_MS)
    for name, code, detail in answer.topic_errors:
        if code == TOPIC_ALREADY_EXISTS:
            continue
        if code:
            raise for_code(code)(f"{name}: {detail}")
        logger.info("topic_created", topic=name, partitions=settings.kafka_partitions)


async def _check(admin: AIOKafkaAdminClient, group: str) -> None:
    """Assert retention and cleanup: a topic that forgets early would lose points silently."""
    wanted = _wanted(group)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    for answer in await admin.describe_configs(resources):
        for resource in answer.resources:
            code, detail, _, name, entries = resource[:5]
            if code:
                raise for_code(code)(f"{name}: {detail}")
            actual = {entry[0]: entry[1] for entry in entries}
            _compare(name, wanted[name], actual)


def _compare(name: str, wanted: dict[str, str], actual: dict[str, str]) -> None:
    if actual["cleanup.policy"] != wanted["cleanup.policy"]:
        message = f"topic {name} has cleanup.policy {actual['cleanup.policy']}"
        raise RuntimeError(message)
    keeps_ms = int(actual["retention.ms"])
    if "retention.ms" in wanted and 0 <= keeps_ms < int(wanted["retention.ms"]):
        message = f"topic {name} keeps records {keeps_ms} ms only; {wanted['retention.ms']} needed"
        raise RuntimeError(message)


async def partition_counts(bootstrap: str, names: list[str]) -> dict[str, int]:
    """Return how many partitions each topic has; raises ``Unavailable``."""
    async with client.admin(bootstrap) as admin:
        try:
            async with asyncio.timeout(client.CALL_TIMEOUT_S):
                topics = await admin.describe_topics(names)
        except (TimeoutError, KafkaError, OSError) as error:
            message = "Kafka does not describe its topics."
            raise client.unavailable(message) from error
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}
