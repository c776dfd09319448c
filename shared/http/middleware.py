"""The one middleware: limits around every request, its answer on errors, and its metrics.

Pure ASGI: ``BaseHTTPMiddleware`` would put a task and a buffer between the client and the route,
and hide disconnects. uvicorn has no limit on bodies and its own 503 has no ``Retry-After``.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import getrandbits
from time import perf_counter
from typing import cast

from prometheus_client import Histogram
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import log, metrics
from shared.http import problem
from shared.http.deadlines import Deadlines
from shared.http.problem import Problem

KIB = 1024
MIB = 1024 * KIB

UNLIMITED_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})
"""These answer also when nothing else does: that is what they are for."""

_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]

logger = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    body_max_bytes: int = 256 * KIB
    in_flight_max: int = 512
    uploads_max: int = 8
    """Requests at once to routes with a larger body than ``body_max_bytes``: each costs memory."""
    body_timeout_s: float = 10.0
    """For a body to arrive, plus its size at ``body_bytes_per_s``."""
    body_bytes_per_s: int = 64 * KIB
    deadline_s: float = 5.0
    """From the end of the body to the answer."""
    drained_bytes: int = MIB
    """How much of a body that is too large is read, so that its sender sees the answer."""


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """What routes may have beyond ``Limits``, by their path."""

    path: "re.Pattern[str]"
    body_max_bytes: int | None = None
    deadline_s: float | None = None


@dataclass(slots=True)
class Serving:
    """What goes on in this process; ``draining`` from the signal to end until the end."""

    in_flight: int = 0
    uploads: int = 0
    """Of these, the ones to routes that take large bodies."""
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Direct:
    """Applications that answer by themselves, by method and path."""

    exact: Mapping[tuple[str, str], ASGIApp] = field(default_factory=dict[tuple[str, str], ASGIApp])
    patterns: Sequence[tuple[str, re.Pattern[str], ASGIApp]] = ()
    """For paths with parameters; there are few."""

    def find(self, method: str, path: str) -> ASGIApp | None:
        """Return what answers, if any of them does."""
        found = self.exact.get((method, path))
        if found is None:
            for wanted, pattern, app in self.patterns:
                if wanted == method and pattern.match(path):
                    return app
        return found


@dataclass(slots=True)
class Guard:
    """The middleware."""

    app: ASGIApp
    serving: Serving
    limits: Limits = field(default_factory=Limits)
    routes: tuple[RouteLimits, ...] = ()
    direct: Direct = field(default_factory=Direct)
    """What is called in place of ``app``, past all that routing costs."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    _timers: dict[tuple[str, str, int], Histogram] = field(
        default_factory=dict[tuple[str, str, int], Histogram]
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            await self.app(scope, receive, send)
            return
        exchange = Exchange(self, scope, receive, send)
        serving, limits = self.serving, self.limits
        uploads = int(exchange.is_upload)
        if (
            serving.in_flight >= limits.in_flight_max
            or serving.uploads + uploads > limits.uploads_max
        ):
            metrics.http_refused_total.labels("overloaded").inc()
            await exchange.refuse(
                problem.unavailable("overloaded", "Too many requests at once.", 1.0)
            )
            return
        serving.in_flight += 1
        serving.uploads += uploads
        started = perf_counter()
        try:
            await exchange.run(self.direct.find(scope["method"], scope["path"]) or self.app)
        finally:
            serving.in_flight -= 1
            serving.uploads -= uploads
            self._timer(scope, exchange.status).observe(perf_counter() - started)

    def limits_of(self, path: str) -> tuple[int, float]:
        """Return the most bytes and seconds of a request to ``path``."""
        for route in self.routes:
            if route.path.match(path):
                return (
                    route.body_max_bytes or self.limits.body_max_bytes,
                    route.deadline_s or self.limits.deadline_s,
                )
        return self.limits.body_max_bytes, self.limits.deadline_s

    def _timer(self, scope: Scope, status: int) -> Histogram:
        key = (scope["method"], _template(scope), status)
        timer = self._timers.get(key)
        if timer is None:
            # Methods are the client's to invent, and each label value is memory for ever.
            method = key[0] if key[0] in _METHODS else "other"
            timer = metrics.http_seconds.labels(method, key[1], str(status))
            if method != "other":
                self._timers[key] = timer
        return timer


def guard(
    app: Starlette,
    limits: Limits,
    routes: tuple[RouteLimits, ...] = (),
    direct: Direct | None = None,
) -> None:
    """Put the middleware around ``app``; ``app.state.serving`` is what is in hand."""
    serving = Serving()
    app.state.serving = serving
    metrics.http_in_flight.set_function(lambda: serving.in_flight)
    app.add_middleware(
        Guard, serving=serving, limits=limits, routes=routes, direct=direct or Direct()
    )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _template(scope: Mapping[str, object]) -> str:
    """Return the route's path with its parameters unfilled; no route, no path."""
    known = cast("dict[str, object] | None", scope.get("fastapi"))
    if known and "effective_route_context" in known:
        # scope["route"].path lacks the prefix that include_router added.
        return _path_of(known["effective_route_context"])
    return _path_of(scope.get("route"))


def _path_of(route: object) -> str:
    return getattr(route, "path", "none")


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_arrived",
        "_awaits_go_ahead",
        "_bytes",
        "_deadline_s",
        "_finished",
        "_guard",
        "_in",
        "_length",
        "_max_bytes",
        "_out",
        "_request_id",
        "_scope",
        "_started_at",
        "deadline_at",
        "expired",
        "status",
        "task",
    )

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        """Take over ``receive`` and ``send``."""
        self._guard = guard
        self._scope = scope
        self._in = receive
        self._out = send
        self._max_bytes, self._deadline_s = guard.limits_of(scope["path"])
        self._bytes = 0
        self._length = 0
        self.expired = False
        self._awaits_go_ahead = False
        self._arrived = False
        """Whether the whole body is here: from then on the time is the route's."""
        self._finished = False
        """Whether we have answered in the route's place; it may say what it likes then."""
        self.status = 0
        self._read_headers()

    @property
    def is_upload(self) -> bool:
        """Whether it goes to a route that takes large bodies."""
        return self._max_bytes > self._guard.limits.body_max_bytes

    async def run(self, app: ASGIApp) -> None:
        """Let ``app`` answer, in time, and answer for it if it fails."""
        if self._length > self._max_bytes:
            if not self._awaits_go_ahead:
                await self._drain()
            await self._refuse_body()
            return
        loop = asyncio.get_running_loop()
        self._arrived = self._length == 0
        self._started_at = loop.time()
        self.deadline_at = self._started_at + (
            self._deadline_s if self._arrived else self._guard.limits.body_timeout_s
        )
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self._guard.deadlines.add(self, loop)
        try:
            await app(self._scope, self._receive, self._send)
        except asyncio.CancelledError as error:
            # Ours, or the server's as well, which is on its way out?
            if not self.expired or task.cancelling() > 1:
                raise
            await self._answer_for(TimeoutError(error))
        except ClientDisconnect:
            return  # in the middle of its body: nobody is left to be answered
        except Exception as error:  # noqa: BLE001  the last place that can still answer
            await self._answer_for(error)
        finally:
            self._guard.deadlines.discard(self)
            if self.expired:
                task.uncancel()

    def _read_headers(self) -> None:
        """Find the announced length (-1 if unknown), and the trace that this belongs to."""
        trace = b""
        for name, value in self._scope["headers"]:
            if name == b"content-length":
                self._length = int(value)
            elif name == b"transfer-encoding":
                self._length = -1
            elif name == b"expect":
                self._awaits_go_ahead = True
            elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
                trace = value
        if trace:
            self._request_id = trace[3:35]
            log.traceparent.set(trace.decode())
        else:
            fresh = f"{getrandbits(128) | 1:032x}"
            self._request_id = fresh.encode()
            log.traceparent.set(f"00-{fresh}-{fresh[:15]}1-00")

    async def _receive(self) -> Message:
        message = await self._in()
        if message["type"] != "http.request":
            return message
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            if message.get("more_body", False):
                await self._drain()
            await self._refuse_body()
            # The route sees a client that went away; whatever it answers is not sent.
            return {"type": "http.disconnect"}
        if message.get("more_body", False):
            limits = self._guard.limits
            allowed_s = limits.body_timeout_s + self._bytes / limits.body_bytes_per_s
            self.deadline_at = self._started_at + allowed_s
        elif not self._arrived:
            self._arrived = True
            self.deadline_at = asyncio.get_running_loop().time() + self._deadline_s
        return message

    async def _send(self, message: Message) -> None:
        if self._finished:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            headers.append((b"x-request-id", self._request_id))
            headers += _SECURITY_HEADERS
            if self._guard.serving.draining:
                # The client opens its next connection elsewhere, before this one is cut.
                headers.append((b"connection", b"close"))
        await self._out(message)

    async def _drain(self) -> None:
        """Read a bounded part of a body: an answer to unread bytes may end as a reset."""
        rest = self._guard.limits.drained_bytes
        try:
            async with asyncio.timeout(1.0):
                while rest > 0:
                    message = await self._in()
                    rest -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    async def _refuse_body(self) -> None:
        metrics.http_refused_total.labels("too_large").inc()
        most = self._max_bytes
        await self.refuse(
            Problem(
                413,
                "body_too_large",
                f"The body is larger than {most} bytes.",
                {"limit_bytes": most},
                {"Connection": "close"},
            )
        )

    async def _answer_for(self, error: Exception) -> None:
        """Answer in the route's place after it failed."""
        if self._finished:
            return
        answer = problem.from_error(error)
        if self.expired and not self._arrived:
            metrics.http_refused_total.labels("too_slow").inc()
            answer = Problem(
                408, "request_timeout", "The body came too slowly.", headers={"Connection": "close"}
            )
        elif self.expired:
            answer = problem.unavailable(
                "deadline_exceeded", "It took too long and may or may not have been done."
            )
        route = _template(self._scope)
        if answer.status == 500:
            logger.error("request_failed", route=route, exc_info=error)
        elif answer.status >= 503:
            logger.warning("request_unavailable", route=route, error=repr(error))
        if self.status:
            # Too late for another answer; a broken connection at least does not look like success.
            raise error
        await self.refuse(answer)

    async def refuse(self, answer: Problem) -> None:
        """Answer with a problem, and let nothing else be sent."""
        await answer.response()(self._scope, self._in, self._send)
        self._finished = True
