"""Where the time comes from; always aware, always UTC."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is told to move; for tests and back-tests."""

    def __init__(self, at: datetime) -> None:
        """Start at ``at``, which must be aware."""
        if at.tzinfo is None:
            message = "a clock needs an aware datetime"
            raise ValueError(message)
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward (or back) by ``by``."""
        self._at += by
