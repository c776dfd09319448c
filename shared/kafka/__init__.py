"""Kafka: the consumer loop, the relay, topics and dead letters. Only here is aiokafka used."""
