"""OpenTelemetry traces over OTLP; off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

Spans carry routes and statements with placeholders, never parameters or bodies.
"""

# ruff: noqa: PLC0415  imported when used: 60 ms and 15 MB that most installations do not need

from fastapi import FastAPI
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TelemetrySettings(BaseSettings):
    """The standard variable; the exporter itself reads the other ``OTEL_…`` ones."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")


def enabled() -> bool:
    """Whether traces go anywhere."""
    return bool(TelemetrySettings().endpoint)


def configure(service: str, process: str) -> None:
    """Send this process's traces to the collector, if one is named."""
    if not enabled():
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {"service.namespace": "perennial", "service.name": service, "perennial.process": process}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    # The SQLAlchemy instrumentation refuses SQLAlchemy 2.1 silently; asyncpg's sees every query.
    AsyncPGInstrumentor(capture_parameters=False).instrument()


def instrument(app: FastAPI) -> None:
    """Trace the application's requests, if traces are on."""
    if not enabled():
        return
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(app, excluded_urls="/health/.*,/metrics")
