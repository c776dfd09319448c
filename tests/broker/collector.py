"""An OTLP/HTTP receiver in the test's process: parses what it is sent, and keeps the spans."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deploy.local import ports


@dataclass
class Collector:
    """The spans that arrived, with the service and process they are of."""

    endpoint: str
    spans: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    def take(self, body: bytes) -> None:
        """Parse one export."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            process = f"{told['service.name']}-{told['perennial.process']}"
            for scope in resource.scope_spans:
                self.spans += [(process, span) for span in scope.spans]

    def named(self, process: str, name: str) -> list[Any]:
        """Return the spans of a process by their name."""
        return [span for whose, span in self.spans if (whose, span.name) == (process, name)]


@asynccontextmanager
async def collecting() -> AsyncGenerator[Collector, None]:
    """Listen on loopback inside the block."""
    port = ports.free_port()
    collector = Collector(f"http://{ports.LOOPBACK}:{port}")
    app = FastAPI()

    @app.post("/v1/traces")
    async def traces(request: Request) -> Response:
        body = await request.body()
        packed = request.headers.get("content-encoding") == "gzip"
        collector.take(gzip.decompress(body) if packed else body)
        return Response(media_type="application/x-protobuf")

    server = uvicorn.Server(
        # uvicorn's own configuration of logging would outlive the test, for all tests after it.
        uvicorn.Config(
            app,
            host=ports.LOOPBACK,
            port=port,
            log_config=None,
            log_level="error",
            lifespan="off",
        )
    )
    serving = asyncio.create_task(server.serve())
    try:
        yield collector
    finally:
        server.should_exit = True
        await serving
