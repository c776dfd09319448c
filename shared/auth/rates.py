"""How much one key may ask of one process: requests a second, by role."""

import time
from collections.abc import Callable, Mapping

from shared import metrics
from shared.auth.caller import Caller
from shared.contracts.credentials import Role
from shared.errors import Refused
from shared.settings import ServiceSettings

BYTES_PER_REQUEST = 64 * 1024
"""A body counts as one request more for each of these: a batch is not one purchase."""
WINDOW_S = 1


class Rates:
    """Counts what each key asked in windows of a second; there are as many as there are keys."""

    def __init__(
        self, settings: ServiceSettings, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take each role's limit from the settings."""
        self._monotonic = monotonic
        self._windows: dict[str, tuple[float, int]] = {}
        self._limits: Mapping[Role, int] = {
            "terminal": settings.limit_terminal_per_s,
            "app": settings.limit_app_per_s,
            "staff": settings.limit_staff_per_s,
            "marketer": settings.limit_marketer_per_s,
            "admin": settings.limit_admin_per_s,
        }

    def count(self, caller: Caller, body_bytes: int) -> None:
        """Count one request; raises ``Refused`` (429, with ``Retry-After``) above the limit."""
        limit = self._limits[caller.role]
        now = self._monotonic()
        started, used = self._windows.get(caller.key_id, (now, 0))
        if now - started >= WINDOW_S:
            started, used = now, 0
        # The largest body must fit into an empty window, or it could never be sent.
        used += min(1 + body_bytes // BYTES_PER_REQUEST, limit)
        if used > limit:
            metrics.auth_failures_total.labels("rate").inc()
            raise Refused(
                "too_many_requests",
                f"This key may ask for {limit} requests a second.",
                status=429,
                limit_per_s=limit,
                retry_after_s=WINDOW_S,
            )
        self._windows[caller.key_id] = started, used
