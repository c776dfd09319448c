"""How often somebody failed of late: the fence against guessing."""

import time
from collections.abc import Callable

FAILURES_PER_WINDOW = 20
WINDOW_S = 60.0
TRACKED_MAX = 10_000


class Failures:
    """Counts failures per subject in windows of time, of a bounded number of subjects."""

    def __init__(
        self,
        *,
        limit: int = FAILURES_PER_WINDOW,
        window_s: float = WINDOW_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at zero; ``limit`` failures within ``window_s`` are let pass."""
        self._limit = limit
        self._window_s = window_s
        self._monotonic = monotonic
        self._windows: dict[str, tuple[float, int]] = {}

    def limited(self, subject: str) -> bool:
        """Whether a subject has failed too often within this window."""
        return self.wait_s(subject) > 0

    def wait_s(self, subject: str) -> float:
        """Return how many seconds a subject has to wait, 0 while it is within the limit."""
        started, failures = self._windows.get(subject, (0.0, 0))
        if failures < self._limit:
            return 0.0
        return max(0.0, started + self._window_s - self._monotonic())

    def count(self, subject: str, *, limit: int | None = None) -> float:
        """Add one failure; return how many seconds to wait, 0 while within the limit.

        ``limit`` is the subject's own, where subjects differ.
        """
        now = self._monotonic()
        started, failures = self._windows.pop(subject, (now, 0))
        if now - started >= self._window_s:
            started, failures = now, 0
        self._windows[subject] = (started, failures + 1)
        if len(self._windows) > TRACKED_MAX:
            # The one that failed least recently: dicts keep the order of insertion.
            del self._windows[next(iter(self._windows))]
        allowed = self._limit if limit is None else limit
        return started + self._window_s - now if failures >= allowed else 0.0
