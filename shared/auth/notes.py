"""What one process saw of keys, told to ingest now and then: never a write per request.

When each key was last used, and which calls for another store or terminal were refused. A key that
is tried everywhere fills neither memory nor the audit: ``PLACES_MAX`` of them are named, and the
rest are a number.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared import ids, log
from shared.contracts.credentials import CredentialUse, CredentialUsed, WrongPlace
from shared.db import Tx, outbox, run_unit
from shared.db.outbox import Outgoing
from shared.db.retry import is_transient
from shared.errors import Unavailable
from shared.service import Context

TOPIC = "credential-uses"
PLACES_MAX = 5
"""Other stores or terminals of one key that one report names."""

logger = log.get_logger(__name__)


@dataclass(slots=True)
class _Seen:
    last_used_at: datetime
    places: dict[tuple[str, str | None], int] = field(
        default_factory=dict[tuple[str, str | None], int]
    )
    more: int = 0


class Notes:
    """Notes of one process, in memory until the next report; as many as there are keys."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._seen: dict[str, _Seen] = {}
        self._untold: list[CredentialUsed] = []
        self._latest = datetime.min.replace(tzinfo=UTC)

    def used(self, key_id: str, at: datetime) -> None:
        """Note that a valid key was shown."""
        self._latest = at
        seen = self._seen.get(key_id)
        if seen is None:
            self._seen[key_id] = _Seen(at)
        else:
            seen.last_used_at = at

    def refused(self, key_id: str, store_id: str, terminal_id: str | None) -> None:
        """Note that a terminal's key, noted as used before, spoke for another store or terminal."""
        seen = self._seen.setdefault(key_id, _Seen(self._latest))
        place = (store_id, terminal_id)
        if place in seen.places or len(seen.places) < PLACES_MAX:
            seen.places[place] = seen.places.get(place, 0) + 1
        else:
            seen.more += 1

    async def tell(self, service: str, context: Context) -> None:
        """Write what was noted to the outbox; what could not be written is told next time."""
        if not self._untold:
            seen, self._seen = self._seen, {}
            now = context.clock.now()
            self._untold = [_event(service, now, key_id, one) for key_id, one in seen.items()]
        if not self._untold:
            return

        # The same events with the same ids if it has to be told again: counted once.
        async def unit(tx: Tx) -> None:
            told = [Outgoing(TOPIC, event.data.key_id, event) for event in self._untold]
            await outbox.append(tx, told)

        await run_unit(context.db, unit)
        self._untold = []


def _event(service: str, now: datetime, key_id: str, seen: _Seen) -> CredentialUsed:
    wrong: Sequence[WrongPlace] = tuple(
        WrongPlace(store_id=store_id, terminal_id=terminal_id, attempts=attempts)
        for (store_id, terminal_id), attempts in seen.places.items()
    )
    return CredentialUsed(
        id=ids.new_id(),
        source=f"perennial/{service}",
        time=now,
        data=CredentialUse(
            key_id=key_id,
            service=service,
            last_used_at=seen.last_used_at,
            wrong_places=wrong,
            more_wrong_attempts=seen.more,
        ),
    )


async def keep_telling(notes: Notes, service: str, context: Context, stop: asyncio.Event) -> None:
    """Tell every ``credential_report_s`` seconds until ``stop``, and once more at the end."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(context.settings.credential_report_s):
                await stop.wait()
        except TimeoutError:
            pass
        try:
            await notes.tell(service, context)
        except Exception as error:
            if not isinstance(error, Unavailable) and not is_transient(error):
                raise
            logger.warning("credential_uses_untold", error=type(error).__name__)
