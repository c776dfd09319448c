"""Make members of those who signed up, link submissions to members, and forget both.

A sign-up waits in the database until loyalty has enrolled it, however long loyalty is away. Its
``external_id`` is the submission's id, so a call whose answer was lost is only asked again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.ingest import loyalty
from services.ingest.context import IngestContext
from services.ingest.handlers import forms, submissions
from services.ingest.loyalty import Loyalty
from services.ingest.store import locks, members
from services.ingest.store import submissions as store
from services.ingest.store.submissions import Submission
from shared import log
from shared.db import Tx, outbox, run_unit

CHUNK = 50
"""Sign-ups that are read at once."""
LINKED_MAX = 1_000
"""Submissions that one batch of members links; those beyond stay without a member."""
LONGEST_WAIT = timedelta(minutes=5)

logger = log.get_logger(__name__)


async def enrol_waiting(context: IngestContext, client: Loyalty) -> int:
    """Enrol every sign-up that is due; return how many were tried.

    Raises ``Unavailable`` with the first call that loyalty does not answer: the others would fare
    no better, and all are still due.
    """
    tried = 0
    while due := await _load_due(context):
        for submission in due:
            await _enrol(submission, context, client)
        tried += len(due)
    return tried


async def link(tx: Tx, owners: Mapping[str, UUID], context: IngestContext) -> int:
    """Give submissions that carry these identifiers (hex) to their members; return how many.

    The caller has locked the identifiers.
    """
    if not owners:
        return 0
    hmacs = [bytes.fromhex(one) for one in owners]
    waiting = await store.lock_unlinked(tx, hmacs, limit=LINKED_MAX)
    return await _settle(tx, waiting, owners, context)


async def forget(
    tx: Tx, member_ids: Collection[UUID], hmacs: Collection[str], context: IngestContext
) -> int:
    """Erase what members who were erased had sent, or who had their identifiers."""
    if not member_ids:
        return 0
    raw = [bytes.fromhex(one) for one in hmacs]
    sent = await store.list_of_members(tx, member_ids, raw)
    return await store.erase(tx, sent, at=context.clock.now())


async def _load_due(context: IngestContext) -> Sequence[Submission]:
    async with context.db.transaction() as tx:
        return await store.load_due(tx, at=context.clock.now(), limit=CHUNK)


async def _enrol(submission: Submission, context: IngestContext, client: Loyalty) -> None:
    async def known(tx: Tx) -> int:
        return await _settle_by_index(tx, submission, context)

    if await run_unit(context.db, known):
        return
    answer = await client.enrol(_member(submission))

    async def unit(tx: Tx) -> None:
        match answer:
            case loyalty.Enrolled(member_id):
                hmacs = submissions.hmacs_of(submission.person or {}, context.identity_key)
                owners = dict.fromkeys(hmacs.values(), member_id)
                await _settle(tx, [submission], owners, context)
            case loyalty.Taken():
                # The news of that member is on its way to our index; it settles this one.
                until = context.clock.now() + _pause(submission.attempts)
                await store.postpone(tx, submission.submission_id, until=until)
            case loyalty.Impossible(code):
                await store.fail(tx, submission.submission_id, code)

    await run_unit(context.db, unit)
    if isinstance(answer, loyalty.Impossible):
        logger.warning(
            "sign_up_failed", submission_id=str(submission.submission_id), code=answer.code
        )


async def _settle_by_index(tx: Tx, submission: Submission, context: IngestContext) -> int:
    current = await store.load(tx, submission.submission_id)
    if current is None or current.state != "waiting":
        return 1  # settled by the news of its member, or erased, since it was read
    hmacs = submissions.hmacs_of(submission.person or {}, context.identity_key)
    await locks.share(tx, [locks.identifier_slot(one) for one in hmacs.values()])
    owners = await members.load_by_identifier(tx, hmacs.values())
    return await _settle(tx, [submission], owners, context) if owners else 0


async def _settle(
    tx: Tx,
    waiting: Sequence[Submission],
    owners: Mapping[str, UUID],
    context: IngestContext,
) -> int:
    """Give each its member and announce what was held back for that; once, whoever is first."""
    found = {
        one.submission_id: submissions.recognise(
            submissions.hmacs_of(one.person or {}, context.identity_key), owners
        )
        for one in waiting
    }
    given = {each: member_id for each, (member_id, _) in found.items() if member_id is not None}
    if not given:
        return 0
    settled = await store.settle(tx, given)
    for one in waiting:
        if one.submission_id not in settled:
            continue
        member_id, proven = found[one.submission_id]
        form = (await forms.require_version(tx, one.form_id, one.version)).form
        events = submissions.announce(
            replace(one, member_id=member_id), form, proven, again=form.kind != "sign_up"
        )
        await outbox.append(tx, events)
    return len(settled)


def _member(submission: Submission) -> dict[str, Any]:
    """Return the enrolment of a sign-up; always the same for the same submission."""
    person = dict(submission.person or {})
    card = person.pop("card", None)
    return {
        "external_id": f"form:{submission.submission_id}",
        "identifiers": [{"kind": "card", "value": card}] if card else [],
        "locale": submission.language,
        **({"home_store": submission.store_id} if submission.store_id else {}),
        **person,
    }


def _pause(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_WAIT)


async def forget_expired(context: IngestContext) -> int:
    """Erase submissions past their time, and what an erasure by event could not know of."""
    at: datetime = context.clock.now()

    async def unit(tx: Tx) -> int:
        past = await store.list_forgettable(tx, at=at, limit=CHUNK)
        return await store.erase(tx, past, at=at) if past else 0

    total = 0
    while gone := await run_unit(context.db, unit):
        total += gone
    return total
