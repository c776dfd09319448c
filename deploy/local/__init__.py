"""The stack on one machine without Docker: Kafka, Postgres, a mail catcher and the services."""
