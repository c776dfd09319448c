"""Versions of the programme: put a draft, check it, publish it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.handlers import programmes as handlers
from services.loyalty.settings.parts import WrittenInstant
from services.loyalty.settings.rules import DraftDocument
from shared import auth
from shared.db import run_unit
from shared.http.models import Request
from shared.http.names import bare

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])

MARKETERS = Depends(auth.require("marketer", "admin"))
READERS = Depends(auth.require("marketer", "staff", "admin"))
DOCUMENT_BYTES_MAX = 1_048_576
VersionName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class VersionView(BaseModel):
    """A version of the rules."""

    version: str
    state: Literal["draft", "scheduled", "in_force", "past"]
    source: Literal["file", "api"]
    """Where it was written: in the programme's file, or over HTTP."""
    effective_from: datetime | None
    """Null for a draft."""
    updated_at: datetime | None
    published_at: datetime | None
    document: dict[str, Any] | None
    """As it was put, without what had its default; null for a version of the file."""


class VersionList(BaseModel):
    """All versions, the newest published first and the drafts last."""

    data: list[VersionView]
    next_cursor: None = None


class ProblemView(BaseModel):
    """Something wrong in a document."""

    path: str
    """Such as `bonuses.0.when`; empty for what concerns several fields."""
    message: str
    line: int | None
    """Of the expression, from 1; null outside expressions."""
    column: int | None
    caret: str | None
    """The line of the expression, and below it a caret where the mistake is."""


class Validation(BaseModel):
    """What checking a document found; `valid` where that is nothing."""

    valid: bool
    problems: list[ProblemView]


class Publication(Request):
    """From when a version is to be in force."""

    effective_from: WrittenInstant | None = None
    """At least 60 s from now; without it, 60 s from now."""


@router.put(f"/{bare('version')}", dependencies=[MARKETERS], max_body_size=DOCUMENT_BYTES_MAX)
async def put_programme(version: VersionName, body: DraftDocument, context: Ctx) -> VersionView:
    """Keep the document as a draft, in the place of an earlier one.

    Expressions are checked here: `errors` say line and column of a mistake.
    """
    kept = await run_unit(context.db, lambda tx: handlers.put(tx, version, body, context))
    return _view(kept)


@router.get("", dependencies=[READERS])
async def list_programmes(context: Ctx) -> VersionList:
    """List all versions."""
    async with context.db.transaction() as tx:
        found = await handlers.list_all(tx, context)
    return VersionList(data=[_view(one) for one in found])


@router.get(f"/{bare('version')}", dependencies=[READERS])
async def get_programme(version: VersionName, context: Ctx) -> VersionView:
    """Return one version."""
    async with context.db.transaction() as tx:
        return _view(await handlers.get(tx, version, context))


@router.post("/{version}:validate", dependencies=[MARKETERS], max_body_size=DOCUMENT_BYTES_MAX)
async def validate_programme(
    version: VersionName,
    context: Ctx,
    body: Annotated[dict[str, Any] | None, Body()] = None,
) -> Validation:
    """Say all that is wrong with a document, or without one, with the draft; keep nothing."""
    async with context.db.transaction() as tx:
        found = await handlers.validate(tx, version, body, context)
    return Validation(
        valid=not found, problems=[ProblemView.model_validate(asdict(one)) for one in found]
    )


@router.post("/{version}:publish", dependencies=[MARKETERS])
async def publish_programme(version: VersionName, body: Publication, context: Ctx) -> VersionView:
    """Publish a draft for good. The same call again changes nothing and answers the same."""
    starts = body.effective_from
    published = await run_unit(
        context.db, lambda tx: handlers.publish(tx, version, starts, context)
    )
    return _view(published)


def _view(one: handlers.Shown) -> VersionView:
    return VersionView.model_validate(asdict(one))
