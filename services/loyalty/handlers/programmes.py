"""Versions of the programme: drafted, checked, published for good."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.challenges import reshaped
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.settings import rules as documents
from services.loyalty.settings.rules import DraftDocument, Finding, RulesDocument
from services.loyalty.store import programmes as store
from services.loyalty.store.programmes import Stored
from shared.db import Tx
from shared.errors import Malformed, Refused

MARGIN = timedelta(seconds=60)
"""How long before its time a version is published at the latest.

A batch settles by a list of versions of the last 20 s (``context.STALE_S``), and whoever publishes
commits within 15 s: 25 s are left for clocks that differ.
"""
DRAFTS_MAX = 1_000

State = Literal["draft", "scheduled", "in_force", "past"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A version, from the file or from the table."""

    version: str
    state: State
    source: Literal["file", "api"]
    effective_from: datetime | None
    updated_at: datetime | None
    published_at: datetime | None
    document: Mapping[str, Any] | None
    """As it was put; None for what the file holds."""


async def put(tx: Tx, version: str, document: DraftDocument, context: LoyaltyContext) -> Shown:
    """Keep a draft, in the place of an earlier one."""
    if document.version not in {None, version}:
        detail = f"The path names {version}, the body {document.version}."
        raise Refused("programme_version_differs", detail, status=422)
    _refuse_published(context.rules.seed, version)
    documents.check_tiers(document, context.programme.tiers)
    kept = await store.upsert_draft(tx, version, document.rules(), context.clock.now())
    if kept is None:
        raise _published(version)
    return _shown(kept, "draft")


async def publish(
    tx: Tx, version: str, effective_from: datetime | None, context: LoyaltyContext
) -> Shown:
    """Publish a draft from ``effective_from`` on, or as soon as can be; for good.

    The same call again answers the same. Of two at once that differ, the first to come wins.
    """
    await store.lock_publishing(tx)
    now = context.clock.now()
    stored = await _load(tx, version, context.rules.seed, lock=True)
    if stored.state == "published":
        if effective_from not in {None, stored.effective_from}:
            raise _published(version)
        return _shown(stored, _state(stored.effective_from, await _follow(tx, context), now))
    earliest = now + MARGIN
    starts = earliest if effective_from is None else effective_from
    if starts < earliest:
        detail = f"Every process must know of it before: {earliest.isoformat()} at the earliest."
        raise Refused("effective_from_too_soon", detail, status=422, earliest=earliest.isoformat())
    document = documents.read(stored.document)  # by an older release, perhaps
    programme = await _follow(tx, context)
    if changed := _reshaped(document, programme):
        detail = f"What counts for {changed[0]} can not change: give the challenge another name."
        raise Refused("challenge_reshaped", detail, status=422, fields=changed)
    if any(one.effective_from == starts for one in programme.versions):
        detail = "Another version begins at that instant."
        raise Refused("effective_from_taken", detail)
    return _shown(await store.publish(tx, version, starts, now), "scheduled")


async def list_all(tx: Tx, context: LoyaltyContext) -> list[Shown]:
    """Return the published versions, newest first, and behind them the drafts by name."""
    now = context.clock.now()
    programme = await _follow(tx, context)
    published = {one.version: one for one in await store.list_published(tx)}
    versions = [
        _shown(row, _state(one.effective_from, programme, now))
        if (row := published.get(one.version))
        else _from_file(one, programme, now)
        for one in reversed(programme.versions)
    ]
    drafts = await store.list_drafts(tx, limit=DRAFTS_MAX)
    return versions + [_shown(one, "draft") for one in drafts]


async def get(tx: Tx, version: str, context: LoyaltyContext) -> Shown:
    """Return one version."""
    now = context.clock.now()
    programme = await _follow(tx, context)
    seeded = context.rules.seed.by_name.get(version)
    if seeded is not None:
        return _from_file(seeded, programme, now)
    stored = await _load(tx, version, context.rules.seed)
    if stored.state == "draft":
        return _shown(stored, "draft")
    return _shown(stored, _state(stored.effective_from, programme, now))


async def validate(
    tx: Tx, version: str, document: Mapping[str, object] | None, context: LoyaltyContext
) -> list[Finding]:
    """Return what is wrong with a document, or with the draft where none is given."""
    if document is None:
        stored = await _load(tx, version, context.rules.seed)
        document = stored.document
    return list(_all_problems(version, document, context))


def _all_problems(
    version: str, document: Mapping[str, object], context: LoyaltyContext
) -> Iterator[Finding]:
    yield from documents.check(document, context.programme.tiers)
    if version in context.rules.seed.by_name:
        yield Finding("version", "This version is published.")
    named = document.get("version")
    if isinstance(named, str) and named != version:
        yield Finding("version", f"The path names {version}.")
    yield from _reshaping(document, context.rules.programme)


def _reshaping(document: Mapping[str, object], programme: Programme) -> Iterator[Finding]:
    try:
        changed = _reshaped(documents.read(document), programme)
    except Malformed:
        return  # which is another finding
    if changed:
        named = ", ".join(changed)
        yield Finding("challenges", f"What counts can not change under the same name: {named}.")


async def load_version(tx: Tx, version: str, context: LoyaltyContext) -> Version:
    """Return a version compiled, a draft as if it were in force since ever."""
    programme = await _follow(tx, context)
    known = programme.by_name.get(version)
    if known is not None:
        return known
    stored = await _load(tx, version, context.rules.seed)
    return documents.read(stored.document).compiled(version, _EVER)


_EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


async def _follow(tx: Tx, context: LoyaltyContext) -> Programme:
    return await context.rules.follow(tx, at_once=True)


async def _load(tx: Tx, version: str, seed: Programme, *, lock: bool = False) -> Stored:
    _refuse_published(seed, version)
    stored = await store.load(tx, version, lock=lock)
    if stored is None:
        detail = f"There is no version {version} of the programme."
        raise Refused("programme_version_unknown", detail, status=404)
    return stored


def _refuse_published(seed: Programme, version: str) -> None:
    if version in seed.by_name:
        raise _published(version)


def _published(version: str) -> Refused:
    detail = f"Version {version} is published and stays as it is."
    return Refused("programme_version_published", detail)


def _reshaped(document: RulesDocument, programme: Programme) -> list[str]:
    return reshaped(programme.challenges, [one.compiled() for one in document.challenges])


def _state(effective_from: datetime | None, programme: Programme, now: datetime) -> State:
    if effective_from is None:
        return "draft"
    if effective_from > now:
        return "scheduled"
    current = programme.in_force(now)
    at_it = current is not None and current.effective_from == effective_from
    return "in_force" if at_it else "past"


def _shown(one: Stored, state: State) -> Shown:
    return Shown(
        version=one.version,
        state=state,
        source="api",
        effective_from=one.effective_from,
        updated_at=one.updated_at,
        published_at=one.published_at,
        document=one.document,
    )


def _from_file(one: Version, programme: Programme, now: datetime) -> Shown:
    return Shown(
        version=one.version,
        state=_state(one.effective_from, programme, now),
        source="file",
        effective_from=one.effective_from,
        updated_at=None,
        published_at=None,
        document=None,
    )
