"""The AsyncAPI 3.0 document of our topics, built as plain data."""

from collections.abc import Mapping
from inspect import getdoc

from shared.contracts.envelope import Event
from shared.contracts.topics import (
    DAY_MS,
    DEFAULT_PARTITIONS,
    TOMBSTONE_RETENTION_MS,
    Topic,
    type_name,
)

BINDING = "0.5.0"
ABOUT = """\
Everything that the services of Perennial tell one another, on Apache Kafka.

A record's value is one CloudEvents 1.0 event in structured JSON. Delivery is at least once:
readers remember `id` and do nothing the second time. Records of one key are in order. Readers
ignore fields that they do not know; within a version (`.v1`) fields are only ever added.
A record that a consumer group cannot apply is copied to `<group>.dlq` under its key, with reason,
position and attempts in its headers.
"""
TRACE_HEADERS = {
    "type": "object",
    "properties": {
        "traceparent": {
            "type": "string",
            "description": "W3C trace context of the publisher, when tracing is on.",
        }
    },
}


def document(topics: Mapping[str, Topic]) -> dict[str, object]:
    """Return the whole document; message payloads refer to the schema files beside it."""
    messages = {
        type_name(event): _message(event, topic)
        for topic in topics.values()
        for event in topic.types
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:perennial:events",
        "info": {
            "title": "Perennial events",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic) for topic in topics.values()},
        "operations": {
            f"{publisher}.{topic.name}": _operation(publisher, topic)
            for topic in topics.values()
            for publisher in topic.publishers
        },
        "components": {"messages": messages},
    }


def _channel(topic: Topic) -> dict[str, object]:
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Key: {topic.key}. {_kept(topic)} Published by {_listed(topic)}.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in map(type_name, topic.types)
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": DEFAULT_PARTITIONS,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(publisher: str, topic: Topic) -> dict[str, object]:
    return {
        "action": "send",
        "title": f"{publisher} publishes {topic.name}",
        "channel": {"$ref": f"#/channels/{topic.name}"},
    }


def _message(event: type[Event], topic: Topic) -> dict[str, object]:
    name = type_name(event)
    return {
        "name": name,
        "title": event.__name__,
        "summary": getdoc(event),
        "contentType": "application/cloudevents+json",
        "headers": TRACE_HEADERS,
        "payload": {"$ref": f"./{name}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, object]:
    if topic.retention_days is None:
        return {"cleanup.policy": ["compact"], "delete.retention.ms": TOMBSTONE_RETENTION_MS}
    return {"cleanup.policy": ["delete"], "retention.ms": topic.retention_days * DAY_MS}


def _kept(topic: Topic) -> str:
    if topic.retention_days is None:
        return (
            "Compacted: the newest record of each key is kept for ever and holds the full state, "
            "whose version only grows; a record without a value deletes the key."
        )
    return f"Kept {topic.retention_days} days."


def _listed(topic: Topic) -> str:
    return ", ".join(topic.publishers)
