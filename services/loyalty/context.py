"""What loyalty's handlers, routes and jobs are given."""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from services.loyalty.domain.gift_cards import Terms
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.settings import LoyaltySettings
from services.loyalty.settings import rules as documents
from services.loyalty.store import programmes as store
from services.loyalty.store import tier_counting
from shared import log
from shared.auth.failures import Failures
from shared.db import Database, Tx
from shared.db.retry import is_transient
from shared.errors import Malformed, Unavailable
from shared.http.peer import Peer
from shared.service import Context

DEVICE_FAILURES_MAX = 10
DEVICE_WINDOW_S = 900.0
"""A password is one of 10^8 and three are good: so few tries leave nothing to guess."""
EXPORTS_MAX = 4
"""Archives in the making, or on their way, at once in one process: each takes memory and disk."""


@dataclass(frozen=True)
class Brakes:
    """What one process counts, so that nobody tries codes or telephone numbers one by one."""

    lookups: Failures = field(default_factory=Failures)
    """By API key."""
    codes_of_callers: Failures = field(default_factory=Failures)
    """Codes that were not good, by API key."""
    codes_of_devices: Failures = field(
        default_factory=lambda: Failures(limit=DEVICE_FAILURES_MAX, window_s=DEVICE_WINDOW_S)
    )
    """Codes that were not good, by the device that they name."""


REFRESH_S = 5.0
"""A version is known to a process this long after it was published. Less than a minute, which is
how long before its time it must be published at the latest (``handlers.programmes.MARGIN``)."""

STALE_S = 20.0
"""No receipt is settled by a list of versions that was read longer ago."""

logger = log.get_logger(__name__)


class Rules:
    """The programme as this process knows it: the file's versions and those published since.

    Published versions never change and never go, so that their number tells whether there are new
    ones, and each is compiled once.
    """

    def __init__(self, seed: Programme, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with the file's versions; the first ``follow`` reads the table."""
        self.seed = seed
        self.programme = seed
        self._monotonic = monotonic
        self._published: dict[str, Version] = {}
        self._read_at = float("-inf")

    async def follow(self, tx: Tx, *, at_once: bool = False) -> Programme:
        """Return the programme with every version that was published ``REFRESH_S`` ago.

        Reads in ``tx``, at most every ``REFRESH_S`` unless it has to be ``at_once``. Whoever
        settles receipts calls this first, and ``check_fresh`` once everything is locked: a list
        that can not be read ends the transaction, and with it the batch. Raises ``Unavailable``
        for a version that this process can not read, and where tiers are counted otherwise.
        """
        # From before the read: what is published during it must not count as seen.
        now = self._monotonic()
        if at_once or now - self._read_at > REFRESH_S:
            published, counted_by, read_only = await store.read_standing(tx)
            if counted_by is not None:
                _fit(self.seed, counted_by)
            elif not read_only:
                await tier_counting.record(tx, self.seed.ladder)
            if published != len(self._published):
                await self._load(tx)
            self._read_at = now
        return self.programme

    def check_fresh(self, programme: Programme) -> None:
        """Raise ``Unavailable`` where what ``follow`` returned is no longer good to settle by.

        A transaction may wait for locks between the two: done again, it reads the list anew.
        """
        if programme is self.programme and self._monotonic() - self._read_at <= STALE_S:
            return
        raise Unavailable("programme_stale", "There may be newer rules by now.")

    async def keep_following(self, db: Database) -> NoReturn:
        """Read every ``REFRESH_S``, for whoever asks ``programme`` without a transaction."""
        while True:
            try:
                async with db.transaction() as tx:
                    await self.follow(tx)
            except Exception as error:
                if not is_transient(error):
                    logger.exception("programme_not_refreshed")
                else:
                    logger.warning("programme_not_refreshed", error=type(error).__name__)
            await asyncio.sleep(REFRESH_S)

    async def _load(self, tx: Tx) -> None:
        published = dict(self._published)
        for row in await store.list_published(tx):
            if row.version not in published:
                published[row.version] = _compiled(row)
        programme = self.seed.with_versions(published.values())
        _check(self.seed, programme)
        self.programme, self._published = programme, published


def _fit(seed: Programme, counted_by: str) -> None:
    """Raise ``Unavailable`` where tiers are counted otherwise than the file says."""
    try:
        tier_counting.must_fit(seed.ladder, counted_by)
    except Unavailable as error:
        logger.error("tiers_counted_otherwise", detail=error.detail)  # noqa: TRY400  no bug
        raise


def _check(seed: Programme, programme: Programme) -> None:
    """Raise ``Unavailable`` where file and table say different things of a version or a time."""
    changed = [one.version for one in seed.versions if programme.by_name[one.version] != one]
    begins = {one.effective_from for one in programme.versions}
    if changed or len(begins) != len(programme.versions):
        logger.error("programme_conflict", version=", ".join(changed))
        detail = "The programme's file contradicts what was published; correct the file."
        raise Unavailable("programme_conflict", detail)


def _compiled(row: store.Stored) -> Version:
    assert row.effective_from is not None  # a published one has it, says the table
    try:
        document = documents.read(row.document)
    except Malformed as error:
        # Written by a newer release: to settle without it would settle wrongly.
        logger.exception("programme_unreadable", version=row.version)
        detail = f"This process can not read version {row.version} of the programme."
        raise Unavailable("programme_unreadable", detail) from error
    return document.compiled(row.version, row.effective_from)


@dataclass(frozen=True)
class LoyaltyContext(Context):
    """The shared context, the rules, and the key that identifiers are hashed with."""

    # Both are frozen, so a narrower type is sound.
    settings: LoyaltySettings
    rules: Rules
    identity_key: bytes
    brakes: Brakes = field(default_factory=Brakes)
    code_failures: Failures = field(default_factory=Failures)
    """Codes of no gift card, by the key that asked."""
    peers: Mapping[str, Peer] = field(default_factory=dict[str, Peer])
    """Services that have something of a member, by name; one that is not run is left out."""
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS_MAX))
    backtests: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the back-test that this process is at."""

    @property
    def programme(self) -> Programme:
        """Return the programme as it was last read; ``rules.follow`` reads it anew."""
        return self.rules.programme

    @property
    def app_code_key(self) -> bytes:
        """Return what secrets of devices are derived from: a key per purpose."""
        return hmac.digest(self.identity_key, b"app codes", "sha256")

    @property
    def gift_terms(self) -> Terms:
        """Return what the settings say of gift cards."""
        return Terms(
            self.settings.gift_card_balance_minor_max,
            timedelta(days=self.settings.gift_card_validity_days_min),
        )
