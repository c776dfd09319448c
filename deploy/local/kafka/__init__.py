"""One real Apache Kafka node in KRaft mode, on the machine's own Java."""

from deploy.local.kafka.node import LocalKafka, start_kafka

__all__ = ["LocalKafka", "start_kafka"]
