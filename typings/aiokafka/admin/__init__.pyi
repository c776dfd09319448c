from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka.admin.config_resource import ConfigResource
from aiokafka.structs import OffsetAndMetadata, TopicPartition

class CreateTopicsAnswer(Protocol):
    # Topic, error code (0 for none), error message.
    topic_errors: Sequence[tuple[str, int, str | None]]

class DescribeConfigsAnswer(Protocol):
    # Error code, error message, resource type, name, entries; an entry starts with name, value.
    resources: Sequence[tuple[int, str | None, int, str, Sequence[tuple[str, str]]]]

class NewPartitions:
    def __init__(
        self, total_count: int, new_assignments: Sequence[Sequence[int]] | None = None
    ) -> None: ...

class NewTopic:
    def __init__(
        self,
        name: str,
        num_partitions: int,
        replication_factor: int,
        replica_assignments: Mapping[int, Sequence[int]] | None = None,
        topic_configs: Mapping[str, str] | None = None,
    ) -> None: ...

class RecordsToDelete:
    def __init__(self, before_offset: int) -> None: ...

class AIOKafkaAdminClient:
    def __init__(
        self,
        *,
        bootstrap_servers: str | Sequence[str] = ...,
        client_id: str = ...,
        request_timeout_ms: int = ...,
    ) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def create_topics(
        self,
        new_topics: Sequence[NewTopic],
        timeout_ms: int | None = None,
        validate_only: bool = False,
    ) -> CreateTopicsAnswer: ...
    async def delete_topics(
        self, topics: Sequence[str], timeout_ms: int | None = None
    ) -> CreateTopicsAnswer: ...
    async def list_topics(self) -> list[str]: ...
    async def describe_topics(
        self, topics: Sequence[str] | None = None
    ) -> list[dict[str, Any]]: ...
    async def describe_cluster(self) -> dict[str, Any]: ...
    async def describe_configs(
        self, config_resources: Sequence[ConfigResource], include_synonyms: bool = False
    ) -> list[DescribeConfigsAnswer]: ...
    async def create_partitions(
        self,
        topic_partitions: Mapping[str, NewPartitions],
        timeout_ms: int | None = None,
        validate_only: bool = False,
    ) -> object: ...
    async def list_consumer_group_offsets(
        self,
        group_id: str,
        group_coordinator_id: int | None = None,
        partitions: Sequence[TopicPartition] | None = None,
    ) -> dict[TopicPartition, OffsetAndMetadata]: ...
    async def delete_records(
        self, records_to_delete: Mapping[TopicPartition, object], timeout_ms: int | None = None
    ) -> dict[TopicPartition, int]: ...
