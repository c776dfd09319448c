"""``/v1/forms/{form_id}/submissions`` and ``…/entries``: what people sent."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from services.ingest.api import fields
from services.ingest.api.answers import REPLAYED
from services.ingest.api.depends import Ingest, Reader
from services.ingest.api.form_bodies import FormId, Language, Name
from services.ingest.context import IngestContext
from services.ingest.domain import forms as domain
from services.ingest.handlers import forms, submissions
from services.ingest.handlers.submissions import Filled, Taken
from services.ingest.store import submissions as store
from services.ingest.store.submissions import Submission
from shared.auth import Caller, require
from shared.contracts.interactions import Purpose
from shared.contracts.messages import Channel
from shared.db import Tx, run_unit
from shared.errors import Refused
from shared.http.models import Request
from shared.http.names import uuid
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1/forms", tags=["forms"])
_cursor = Cursor(tuple[datetime, UUID])

Staff = Annotated[Caller, Depends(require("staff", "admin"))]
ANSWER_MAX_CHARS = 4_000
EXPORT_CHUNK = 500
"""Entries that an export reads at once."""


class ConsentChoice(Request):
    """A box that was ticked."""

    purpose: Purpose
    channel: Channel


class SourceBody(Request):
    """Where it was filled in. Addresses of the internet are not asked for and not kept."""

    page: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    referrer: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None


class SubmissionBody(Request):
    """A form as somebody filled it in."""

    submission_id: UUID
    """Made before the first attempt; the same for every repetition."""
    version: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    """The version that was shown."""
    language: Language | None = None
    """In which it was shown; the form's first where left out."""
    answers: Annotated[
        dict[Name, Annotated[str, Field(max_length=ANSWER_MAX_CHARS, pattern=r"^[^\x00]*$")]],
        Field(max_length=30),
    ]
    """By the name of the field."""
    consents: Annotated[tuple[ConsentChoice, ...], Field(max_length=20)] = ()
    """What was ticked; what is not here was not agreed to."""
    store_id: fields.Code | None = None
    """Of a terminal: its own, also where left out."""
    source: SourceBody = SourceBody()


class TakenBody(BaseModel):
    """It is committed. The answer is the same whether or not the person is a member."""

    submission_id: UUID
    status: str = "accepted"
    duplicate: bool
    status_url: str


class SubmissionStatus(BaseModel):
    """How far a submission has come."""

    submission_id: UUID
    form_id: str
    version: int
    received_at: AwareDatetime
    status: submissions.Status
    """``accepted``: a sign-up that is not enrolled yet. ``settled``: done. ``failed``: it can not
    be enrolled, see ``failure``. ``erased``: what was written is gone."""
    member_id: UUID | None
    failure: str | None


class SubmissionView(SubmissionStatus):
    """All of a submission."""

    language: str
    via: str
    """``hosted``, or the role of whoever sent it."""
    store_id: str | None
    terminal_id: str | None
    source: dict[str, str] | None
    answers: dict[str, str] | None
    consents: list[ConsentChoice]


@router.post("/{form_id}/submissions", status_code=202, response_model=TakenBody)
async def submit_form(
    form_id: FormId, body: SubmissionBody, caller: Reader, context: Ingest
) -> Response:
    """Take a form that somebody filled in; the same `submission_id` again is harmless."""
    if body.store_id is not None:
        caller.check_terminal(body.store_id)
    filled = Filled(
        submission_id=body.submission_id,
        form_id=form_id,
        version=body.version,
        language=body.language,
        answers=body.answers,
        consents=tuple((one.purpose, one.channel) for one in body.consents),
        source=body.source.model_dump(exclude_none=True),
        via=caller.role,
        store_id=body.store_id or caller.store_id,
        terminal_id=caller.terminal_id,
    )
    taken = await take(filled, context)
    answer = TakenBody(
        submission_id=body.submission_id,
        duplicate=taken.replayed,
        status_url=f"/v1/forms/{form_id}/submissions/{body.submission_id}",
    )
    headers = REPLAYED if taken.replayed else None
    return Response(answer.model_dump_json(), 202, headers, "application/json")


async def take(filled: Filled, context: IngestContext) -> Taken:
    """Take a submission in a transaction of its own."""

    async def unit(tx: Tx) -> Taken:
        return await submissions.submit(tx, filled, context)

    return await run_unit(context.db, unit)


@router.get("/{form_id}/submissions")
async def list_submissions(
    form_id: FormId, _: Staff, context: Ingest, limit: Limit = 50, cursor: CursorText = None
) -> Page[SubmissionView]:
    """List what was sent, newest first, with what people wrote."""
    before = _cursor.decode(cursor)
    async with context.db.transaction() as tx:
        await forms.require_current(tx, form_id)
        found = await store.list_page(tx, form_id, before=before, limit=limit + 1)
    shown = [_view(one) for one in found]
    return _cursor.page(shown, limit, lambda one: (one.received_at, one.submission_id))


@router.get(f"/{{form_id}}/submissions/{uuid('submission_id')}")
async def follow_submission(
    form_id: FormId, submission_id: UUID, caller: Reader, context: Ingest
) -> SubmissionStatus:
    """Follow a submission: a sign-up names its member once that is enrolled."""
    async with context.db.transaction() as tx:
        found = await submissions.require(tx, submission_id, form_id=form_id)
    if caller.terminal_id not in {None, found.terminal_id}:
        raise Refused("submission_not_found", "There is no such submission.", status=404)
    return SubmissionStatus.model_validate(_view(found).model_dump())


@router.post(f"/{{form_id}}/submissions/{uuid('submission_id')}:erase")
async def erase_submission(
    form_id: FormId, submission_id: UUID, _: Staff, context: Ingest
) -> SubmissionView:
    """Erase what a person wrote; an entry leaves the draw, a sign-up that waits is given up."""

    async def unit(tx: Tx) -> Submission:
        await submissions.require(tx, submission_id, form_id=form_id)
        await store.erase(tx, [submission_id], at=context.clock.now())
        return await submissions.require(tx, submission_id)

    return _view(await run_unit(context.db, unit))


Period = Annotated[
    str | None,
    Query(
        pattern=r"^(once|\d{4}-\d{2}-\d{2}|\d{4}-W\d{2}|\d{4}-\d{2})$",
        description="`once`, a day, an ISO week or a month; the current one where left out.",
    ),
]


@router.get(
    "/{form_id}/entries",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_entries(
    form_id: FormId, _: Staff, context: Ingest, period: Period = None
) -> StreamingResponse:
    """Export a period's entries of a sweepstake as CSV, numbered from 1 for the draw."""
    async with context.db.transaction() as tx:
        form = (await forms.require_current(tx, form_id)).form
        if form.sweepstakes is None:
            raise Refused("not_sweepstakes", "The form has no entries.", status=404)
        wanted = period or domain.period_of(form.sweepstakes, context.clock.now())
        entries = await store.count_entries(tx, form_id, wanted)
    headers = {
        "Entry-Count": str(entries),
        "Content-Disposition": f'attachment; filename="{form_id}-{wanted}.csv"',
    }
    names = [one.name for one in form.fields]
    rows = _csv(context, (form_id, wanted), names)
    return StreamingResponse(rows, headers=headers, media_type="text/csv; charset=utf-8")


async def _csv(
    context: IngestContext, which: tuple[str, str], names: Sequence[str]
) -> AsyncIterator[str]:
    """Yield the lines chunk by chunk, each read in a short transaction of its own."""
    yield _line(["entry", "entered_at", "submission_id", "member_id", "version", *names])
    number, after = 0, None
    while True:
        async with context.db.transaction() as tx:
            chunk = await store.list_entries(tx, *which, after=after, limit=EXPORT_CHUNK)
        if not chunk:
            return
        for one in chunk:
            number += 1
            yield _line(_cells(number, one, names))
        after = (chunk[-1].received_at, chunk[-1].submission_id)


def _cells(number: int, one: Submission, names: Sequence[str]) -> list[str]:
    answers: Mapping[str, str] = one.answers or {}
    return [
        str(number),
        one.received_at.isoformat(),
        str(one.submission_id),
        str(one.member_id or ""),
        str(one.version),
        *(_harmless(answers.get(name, "")) for name in names),
    ]


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running what a stranger wrote as a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _view(one: Submission) -> SubmissionView:
    return SubmissionView(
        submission_id=one.submission_id,
        form_id=one.form_id,
        version=one.version,
        received_at=one.received_at,
        status=submissions.status_of(one),
        member_id=one.member_id,
        failure=one.failure,
        language=one.language,
        via=one.via,
        store_id=one.store_id,
        terminal_id=one.terminal_id,
        source=dict(one.source) if one.source is not None else None,
        answers=dict(one.answers) if one.answers is not None else None,
        consents=[
            ConsentChoice.model_validate({"purpose": purpose, "channel": channel})
            for purpose, channel in one.consents
        ],
    )
