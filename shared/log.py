"""Structured logs (placeholder by the lead; the http helper replaces it)."""

import structlog

get_logger = structlog.get_logger


def configure(service: str, process: str, level: str) -> None:
    """Configure logging."""
    structlog.contextvars.bind_contextvars(service=service, process=process)
