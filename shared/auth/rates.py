"""How much one key may ask of one process: requests a second, by role."""

from collections.abc import Mapping

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from shared import metrics
from shared.auth.caller import Caller
from shared.contracts.credentials import Role
from shared.errors import Refused
from shared.settings import ServiceSettings

BYTES_PER_REQUEST = 64 * 1024
"""A body counts as one request more for each of these: a batch is not one purchase."""
WINDOW_S = 1


class Rates:
    """Counts what each key asked in windows of a second; old windows are forgotten."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Take each role's limit from the settings."""
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        per_s: Mapping[Role, int] = {
            "terminal": settings.limit_terminal_per_s,
            "app": settings.limit_app_per_s,
            "staff": settings.limit_staff_per_s,
            "marketer": settings.limit_marketer_per_s,
            "admin": settings.limit_admin_per_s,
        }
        self._limits = {role: RateLimitItemPerSecond(most) for role, most in per_s.items()}

    def count(self, caller: Caller, body_bytes: int) -> None:
        """Count one request; raises ``Refused`` (429, with ``Retry-After``) above the limit."""
        limit = self._limits[caller.role]
        # The largest body must fit into an empty window, or it could never be sent.
        cost = min(1 + body_bytes // BYTES_PER_REQUEST, limit.amount)
        if not self._limiter.hit(limit, caller.key_id, cost=cost):
            metrics.auth_failures_total.labels("rate").inc()
            raise Refused(
                "too_many_requests",
                f"This key may ask for {limit.amount} requests a second.",
                status=429,
                limit_per_s=limit.amount,
                retry_after_s=WINDOW_S,
            )
