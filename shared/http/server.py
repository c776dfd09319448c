"""uvicorn, run by us: signals are the process's own, and its end is quiet."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

import uvicorn
import uvloop
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared import log
from shared.http.problem import MEDIA_TYPE, Problem

T = TypeVar("T")

BACKLOG = 2_048
GRACEFUL_S = 20
"""For requests in flight at the end; uvicorn would wait for ever."""
DRAIN_S = 0.5
"""Between "not ready" and the end of listening: load balancers and keep-alive clients move on."""
KEEP_ALIVE_S = 30
HEADERS_TIMEOUT_S = 15.0
HEADERS_MAX_BYTES = 32 * 1024

logger = log.get_logger(__name__)


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with the two limits that uvicorn's lacks: size and time of the headers."""

    _header_bytes = 0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Expect a first request soon."""
        super().connection_made(transport)
        self._expect_headers()

    def on_message_begin(self) -> None:
        """Start to count."""
        super().on_message_begin()
        self._header_bytes = 0
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Count."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock; the middleware takes over."""
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem, too."""
        body = Problem(400, "bad_request", msg).body()
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADERS_MAX_BYTES:
            # httptools turns this into the parse error that uvicorn answers with 400 and a close.
            raise ValueError

    def _expect_headers(self) -> None:
        self._stop_timer()
        self._header_timer = self.loop.call_later(HEADERS_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


class _Server(uvicorn.Server):
    """Leaves signals alone: uvicorn would raise them again at the end and exit by -15."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    app: Starlette,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    drain_s: float = DRAIN_S,
) -> None:
    """Serve ``app`` until ``stop``: not ready at once, then drained, then what is in flight ends.

    Raises ``OSError`` if the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    await serve_on(app, listener, stop=stop, drain_s=drain_s)


async def serve_on(
    app: Starlette, listener: socket.socket, *, stop: asyncio.Event, drain_s: float = DRAIN_S
) -> None:
    """As ``serve``, on a socket that listens already."""
    server = _Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Headers of a proxy are the client's word unless a proxy is configured.
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_S,
        )
    )
    # Of each connection, which inherits it: head and body are two writes, and asyncio (not uvloop)
    # lets the second wait 40 ms for an acknowledgement where a socket does not say "TCP" itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address = listener.getsockname()
    logger.info("listening", host=address[0], port=address[1])

    async def end() -> None:
        await stop.wait()
        app.state.serving.draining = True
        await asyncio.sleep(drain_s)
        server.should_exit = True

    async with asyncio.TaskGroup() as group:
        ending = group.create_task(end())
        await server.serve(sockets=[listener])
        ending.cancel()


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on uvloop; the way every process starts."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
