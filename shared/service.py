"""What a service is made of; ``shared.cli`` turns it into processes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.clock import Clock
from shared.contracts.envelope import Event
from shared.db import Database, Tx
from shared.settings import ServiceSettings

if TYPE_CHECKING:  # FastAPI is a third of the start of a process, and only one of four serves HTTP
    from fastapi import APIRouter


@dataclass(frozen=True)
class Context:
    """What handlers, routes and jobs are given; a service adds its own fields in a subclass."""

    db: Database
    clock: Clock
    settings: ServiceSettings


Handler = Callable[[Tx, Sequence[Any], Any], Awaitable[None]]
"""``(tx, events, context)``: applies the new events of one partition batch, in order.

Runs inside the transaction that also moves the offset; may run again for the same events if that
transaction fails. Raises ``Malformed`` only for what can never be applied.
"""


@dataclass(frozen=True)
class Job:
    """Timed work. Runs in one process at a time, may die anywhere, and may run twice."""

    name: str
    every_s: float
    run: Callable[[Any], Awaitable[object]]


@dataclass(frozen=True)
class Routes:
    """What a service answers over HTTP."""

    routers: "tuple[APIRouter, ...]" = ()
    streamed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Path → bytes at most, for routes that read the stream of a body over 256 KiB."""


@dataclass(frozen=True)
class Service:
    """A service's parts, as its ``app.py`` puts them together."""

    name: str
    settings: Callable[..., ServiceSettings]
    open_context: Callable[[Any, Database, AsyncExitStack], Awaitable[Context]]
    migrations: Path
    routes: Callable[[], Routes] = Routes
    """Called by the process that serves them, which alone imports them."""
    handlers: Mapping[str, Handler] = field(default_factory=dict[str, Handler])
    """Topic → batch handler; the consumer group is the service's name."""
    jobs: tuple[Job, ...] = ()
    after_migrate: Callable[[Any], Awaitable[None]] | None = None
    """Runs at the end of ``migrate`` with the service's context; must be idempotent."""


__all__ = ["Context", "Event", "Handler", "Job", "Routes", "Service"]
