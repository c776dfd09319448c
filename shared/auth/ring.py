"""This process's copy of the credential table, never more than a moment old."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field, fields
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared import log, metrics
from shared.auth.caller import Caller
from shared.auth.keys import parse_key
from shared.auth.notes import Notes
from shared.contracts.credentials import Role
from shared.db import Database
from shared.db.plumbing import credential, credential_heartbeat
from shared.db.retry import is_transient
from shared.errors import Unavailable

REFRESH_S = 2.0
"""A change is seen this long after it reached the table."""
OVERLAP_S = 4.0
"""While one request reads the table, others go on with a copy up to this old."""
STALE_S = 30.0
"""Desks (staff, marketer, admin) are refused when what is known of keys is older than this."""
LOAD_TIMEOUT_S = 1.5

_OUTLIVE_THE_DATABASE: frozenset[Role] = frozenset({"terminal", "app"})
"""Tills go on selling; what a desk can do is worth more to a thief than a minute's wait."""

logger = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credential:
    """One row of ``credential``."""

    key_id: str
    secret_sha256: str
    role: Role
    store_id: str | None
    terminal_id: str | None
    not_before: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    notes: InitVar[Notes | None] = None
    caller: Caller = field(init=False)

    def __post_init__(self, notes: Notes | None) -> None:
        """Make the caller once, not with every request."""
        note = notes.refused if notes else None
        caller = Caller(self.key_id, self.role, self.store_id, self.terminal_id, note)
        object.__setattr__(self, "caller", caller)

    def reason_against(self, now: datetime) -> str | None:
        """Return why this key does not count at ``now``, or None if it does."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.not_before is not None and now < self.not_before:
            return "early"
        return None


_COLUMNS = [credential.c[each.name] for each in fields(Credential) if each.init]
# Rows are never deleted and versions only rise, so this pair changes with every change.
_FINGERPRINT = sa.select(
    sa.func.count(), sa.func.coalesce(sa.func.sum(credential.c.version), 0)
).select_from(credential)


class Keyring:
    """Looks keys up in memory; reads the table at most every two seconds, one reader at a time.

    ``follows``: the table is fed by the topic ``credentials``, so it is only as fresh as the last
    heartbeat that came by it. Ingest's own table is the truth and needs none.
    """

    def __init__(
        self,
        db: Database,
        *,
        follows: bool = False,
        stale_s: float = STALE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty; the first look-up reads the table."""
        self._db = db
        self._follows = follows
        self._stale_s = stale_s
        self._monotonic = monotonic
        self._beat_at: datetime | None = None
        self.notes = Notes()
        self._credentials: Mapping[str, Credential] | None = None
        self._verified: dict[bytes, Credential] = {}
        self._fingerprint: tuple[object, ...] = ()
        self._loaded_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading = asyncio.Lock()

    async def verify(self, presented: bytes, now: datetime) -> Credential | str:
        """Return the credential of a presented key, or why there is none that counts at ``now``.

        Raises ``Unavailable`` if the table could never be read.
        """
        at = self._monotonic()
        if at - self._loaded_at > REFRESH_S and at - self._tried_at > REFRESH_S:
            await self._refresh(at)
        if self._credentials is None:
            raise _unverified()
        # Remembered by hash: the dictionary's look-up tells nothing about the secret by its time.
        digest = hashlib.sha256(presented).digest()
        found = self._verified.get(digest)
        if found is None:
            key = parse_key(presented.decode("latin-1"))
            if key is None:
                return "malformed"
            found = self._credentials.get(key.key_id)
            if found is None:
                return "unknown"
            if not key.matches(found.secret_sha256):
                return "wrong_secret"
            # As many as there are credentials at most; emptied whenever they change.
            self._verified[digest] = found
        return found.reason_against(now) or found

    def check_fresh(self, role: Role, now: datetime) -> None:
        """Raise ``Unavailable`` if ``role`` needs fresher knowledge than there is at ``now``."""
        if role in _OUTLIVE_THE_DATABASE:
            return
        fresh = self._monotonic() - self._loaded_at <= self._stale_s
        if fresh and self._follows:
            limit = timedelta(seconds=self._stale_s)
            fresh = self._beat_at is not None and now - self._beat_at <= limit
        if not fresh:
            metrics.auth_failures_total.labels("stale").inc()
            raise Unavailable(
                "credentials_stale", "API keys of this role cannot be verified just now."
            )

    async def catch_up(self) -> None:
        """Read what is in the table now: a key that is unknown may have been made a moment ago.

        Those who ask during a read share the next one. Raises ``Unavailable`` if it could not be
        read: nobody knows then whether there is such a key.
        """
        asked_at = self._monotonic()
        async with self._reading:
            if max(self._loaded_at, self._tried_at) < asked_at:
                await self._read()
        if self._loaded_at < asked_at:
            raise _unverified()

    async def _refresh(self, now: float) -> None:
        if self._reading.locked() and now - self._loaded_at < OVERLAP_S:
            return
        async with self._reading:
            now = self._monotonic()
            if min(now - self._loaded_at, now - self._tried_at) <= REFRESH_S:
                return  # another request did it while this one waited
            await self._read()

    async def _read(self) -> None:
        # From before the read: a change during it must not count as seen.
        now = self._monotonic()
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await self._load()
        except Exception as error:
            self._tried_at = self._monotonic()
            if not is_transient(error):
                raise
            logger.warning("credentials_not_refreshed", error=type(error).__name__)
        else:
            self._loaded_at = now

    async def _load(self) -> None:
        async with self._db.transaction() as tx:
            if self._follows:
                self._beat_at = await tx.scalar(sa.select(credential_heartbeat.c.beat_at))
            fingerprint = tuple((await tx.execute(_FINGERPRINT)).one())
            if fingerprint == self._fingerprint and self._credentials is not None:
                return
            rows = await tx.execute(sa.select(*_COLUMNS))
            self._credentials = {row.key_id: Credential(*row, notes=self.notes) for row in rows}
            self._fingerprint = fingerprint
            self._verified = {}


def _unverified() -> Unavailable:
    return Unavailable("credentials_unavailable", "API keys cannot be verified just now.")
