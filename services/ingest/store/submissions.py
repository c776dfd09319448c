"""What people sent by forms."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert

from services.ingest.store.form_tables import form_entry, form_submission
from services.ingest.store.tables import member
from shared.db import Tx, bulk

submission = form_submission

_TEXTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
_PAIRS: TypeAdapter[tuple[tuple[str, str], ...]] = TypeAdapter(tuple[tuple[str, str], ...])
_JSON: Mapping[str, TypeAdapter[Any]] = {
    "answers": _TEXTS,
    "person": _TEXTS,
    "source": _TEXTS,
    "consents": _PAIRS,
}


@dataclass(frozen=True, slots=True)
class Submission:
    """One row; what is personal is None once erased."""

    submission_id: UUID
    form_id: str
    version: int
    language: str
    body_hmac: bytes
    received_at: datetime
    consents: tuple[tuple[str, str], ...]
    """(purpose, channel) of each box that was ticked."""
    via: str
    store_id: str | None
    terminal_id: str | None
    source: Mapping[str, str] | None
    answers: Mapping[str, str] | None
    person: Mapping[str, str] | None
    """Answers by the kind of their field, for those that say who it is."""
    identifier_hmacs: tuple[bytes, ...]
    member_id: UUID | None
    state: str
    next_attempt_at: datetime
    expires_at: datetime
    attempts: int = 0
    failure: str | None = None
    erased_at: datetime | None = None


_COLUMNS = tuple(submission.c[one.name] for one in fields(Submission))


async def insert_submission(tx: Tx, new: Submission) -> bool:
    """Store; False if its id is there already."""
    values = {one.name: getattr(new, one.name) for one in fields(new)}
    for name, kind in _JSON.items():
        values[name] = kind.dump_json(values[name]).decode() if values[name] is not None else None
    statement = insert(submission).values(values).on_conflict_do_nothing()
    return bool((await tx.execute(statement)).rowcount)


async def insert_entries(tx: Tx, new: Submission, period: str, entrants: Collection[bytes]) -> bool:
    """Enter a submission into a period; False if any of ``entrants`` has entered before.

    False leaves rows behind: roll back.
    """
    # Sorted, so that two entries of one person wait for, not block, each other.
    rows = [
        {
            "form_id": new.form_id,
            "period": period,
            "entrant": one,
            "submission_id": new.submission_id,
        }
        for one in sorted(entrants)
    ]
    inserted = await tx.execute(insert(form_entry).values(rows).on_conflict_do_nothing())
    return inserted.rowcount == len(rows)


async def load(tx: Tx, submission_id: UUID, *, lock: bool = False) -> Submission | None:
    """Return one submission, locked for change if wanted."""
    query = sa.select(*_COLUMNS).where(submission.c.submission_id == submission_id)
    if lock:
        query = query.with_for_update()
    row = (await tx.execute(query)).one_or_none()
    return _row(row) if row else None


async def list_page(
    tx: Tx, form_id: str, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Submission]:
    """Return submissions, newest first."""
    order = sa.tuple_(submission.c.received_at, submission.c.submission_id)
    query = (
        sa.select(*_COLUMNS)
        .where(submission.c.form_id == form_id)
        .order_by(submission.c.received_at.desc(), submission.c.submission_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(order < before)
    return [_row(row) for row in await tx.execute(query)]


async def count_entries(tx: Tx, form_id: str, period: str) -> int:
    """Return how many submissions are entered into a period."""
    query = sa.select(sa.func.count(form_entry.c.submission_id.distinct())).where(
        form_entry.c.form_id == form_id, form_entry.c.period == period
    )
    return (await tx.execute(query)).scalar_one()


async def list_entries(
    tx: Tx, form_id: str, period: str, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Submission]:
    """Return the submissions entered into a period, oldest first."""
    entered = sa.select(form_entry.c.submission_id).where(
        form_entry.c.form_id == form_id, form_entry.c.period == period
    )
    query = (
        sa.select(*_COLUMNS)
        .where(submission.c.form_id == form_id, submission.c.submission_id.in_(entered))
        .order_by(submission.c.received_at, submission.c.submission_id)
        .limit(limit)
    )
    if after is not None:
        order = sa.tuple_(submission.c.received_at, submission.c.submission_id)
        query = query.where(order > after)
    return [_row(row) for row in await tx.execute(query)]


async def load_due(tx: Tx, *, at: datetime, limit: int) -> list[Submission]:
    """Return sign-ups whose enrolment may be tried, longest waiting first."""
    query = (
        sa.select(*_COLUMNS)
        .where(submission.c.state == "waiting", submission.c.next_attempt_at <= at)
        .order_by(submission.c.next_attempt_at)
        .limit(limit)
    )
    return [_row(row) for row in await tx.execute(query)]


async def lock_unlinked(tx: Tx, hmacs: Collection[bytes], *, limit: int) -> list[Submission]:
    """Lock and return submissions without a member that carry one of these identifiers."""
    wanted = bulk.array(sa.LargeBinary(), sorted(hmacs))
    query = (
        sa.select(*_COLUMNS)
        .where(submission.c.member_id.is_(None), submission.c.identifier_hmacs.op("&&")(wanted))
        .order_by(submission.c.submission_id)
        .limit(limit)
        .with_for_update()
    )
    return [_row(row) for row in await tx.execute(query)]


async def settle(tx: Tx, owners: Mapping[UUID, UUID]) -> set[UUID]:
    """Give submissions (by id) to their members; return those that had none until now."""
    new = bulk.unnest(
        "new",
        {
            "submission_id": (sa.Uuid(), list(owners)),
            "member_id": (sa.Uuid(), list(owners.values())),
        },
    )
    statement = (
        submission.update()
        .values(member_id=new.c.member_id, state="settled", failure=None)
        .where(
            submission.c.submission_id == new.c.submission_id,
            submission.c.member_id.is_(None),
            submission.c.erased_at.is_(None),
        )
        .returning(submission.c.submission_id)
    )
    return set(await tx.scalars(statement))


async def postpone(tx: Tx, submission_id: UUID, *, until: datetime) -> None:
    """Try an enrolment again later."""
    await tx.execute(
        submission.update()
        .values(next_attempt_at=until, attempts=submission.c.attempts + 1)
        .where(submission.c.submission_id == submission_id, submission.c.state == "waiting")
    )


async def fail(tx: Tx, submission_id: UUID, failure: str) -> None:
    """Give an enrolment up, for the staff to see."""
    await tx.execute(
        submission.update()
        .values(state="failed", failure=failure, attempts=submission.c.attempts + 1)
        .where(submission.c.submission_id == submission_id, submission.c.state == "waiting")
    )


async def erase(tx: Tx, submission_ids: Collection[UUID], *, at: datetime) -> int:
    """Forget what is personal in these submissions and take them out of the draw.

    Return how many were not erased before.
    """
    ids = bulk.array(sa.Uuid(), sorted(submission_ids))
    await tx.execute(form_entry.delete().where(form_entry.c.submission_id == sa.any_(ids)))
    waiting = submission.c.state == "waiting"
    statement = (
        submission.update()
        .values(
            answers=None,
            person=None,
            source=None,
            identifier_hmacs=[],
            erased_at=at,
            state=sa.case((waiting, "failed"), else_=submission.c.state),
            failure=sa.case((waiting, "erased"), else_=submission.c.failure),
        )
        .where(submission.c.submission_id == sa.any_(ids), submission.c.erased_at.is_(None))
    )
    return (await tx.execute(statement)).rowcount


async def list_of_members(
    tx: Tx, member_ids: Collection[UUID], hmacs: Collection[bytes]
) -> list[UUID]:
    """Return what these members sent, or anybody under one of these identifiers; not erased yet.

    Members that were merged into them count as them.
    """
    sources = sa.select(
        sa.func.unnest(bulk.array(sa.Uuid(), sorted(member_ids))).label("member_id")
    ).cte("sources", recursive=True)
    sources = sources.union(
        sa.select(member.c.member_id).join(sources, member.c.merged_into == sources.c.member_id)
    )
    wanted = bulk.array(sa.LargeBinary(), sorted(hmacs))
    query = sa.select(submission.c.submission_id).where(
        submission.c.erased_at.is_(None),
        sa.or_(
            submission.c.member_id.in_(sa.select(sources.c.member_id)),
            submission.c.identifier_hmacs.op("&&")(wanted),
        ),
    )
    return list(await tx.scalars(query))


async def list_forgettable(tx: Tx, *, at: datetime, limit: int) -> list[UUID]:
    """Return submissions past their time, and those of members who were erased meanwhile."""
    kept = sa.select(submission.c.submission_id).where(submission.c.erased_at.is_(None))
    expired = kept.where(submission.c.expires_at <= at, submission.c.state != "waiting")
    orphaned = kept.join(member, member.c.member_id == submission.c.member_id).where(
        member.c.status == "erased"
    )
    return list(await tx.scalars(sa.union(expired, orphaned).limit(limit)))


def _row(row: "sa.Row[Any]") -> Submission:
    values = {each.name: getattr(row, each.name) for each in fields(Submission)}
    for name, kind in _JSON.items():
        values[name] = kind.validate_json(values[name]) if values[name] is not None else None
    values["identifier_hmacs"] = tuple(values["identifier_hmacs"])
    return Submission(**values)
