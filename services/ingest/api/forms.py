"""``/v1/forms``: versions of forms."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel

from services.ingest.api import form_bodies
from services.ingest.api.depends import Ingest, Keeper
from services.ingest.api.form_bodies import FormBody, FormId
from services.ingest.domain.forms import Version
from services.ingest.handlers import forms
from services.ingest.store import forms as store
from shared.auth import Caller, require
from shared.db import Tx, run_unit
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1/forms", tags=["forms"])
_cursor = Cursor(int)

Shower = Annotated[Caller, Depends(require("terminal", "app", "staff", "marketer", "admin"))]
"""Whoever shows a form to people, or looks after it."""
VersionNo = Annotated[int, Path(ge=1, le=2**31 - 1)]


class FormVersion(BaseModel):
    """One version of a form, which never changes."""

    form_id: str
    version: int
    published_at: AwareDatetime
    form: FormBody


class PublishedForm(FormVersion):
    """The version that is current now."""

    new: bool
    """False where the form was the same already."""


@router.put("/{form_id}")
async def put_form(
    form_id: FormId, body: FormBody, caller: Keeper, context: Ingest
) -> PublishedForm:
    """Publish a form. What differs from the current version becomes a new, immutable one."""
    form = body.to_form()

    async def unit(tx: Tx) -> forms.Published:
        at = context.clock.now()
        return await forms.publish(tx, form_id, form, by=caller.key_id, at=at)

    published = await run_unit(context.db, unit)
    return PublishedForm(**vars(_shown(published.version)), new=published.new)


@router.get("/{form_id}")
async def get_form(form_id: FormId, _: Shower, context: Ingest) -> FormVersion:
    """Return the current version of a form."""
    async with context.db.transaction() as tx:
        return _shown(await forms.require_current(tx, form_id))


@router.get("/{form_id}/versions")
async def list_form_versions(
    form_id: FormId, _: Shower, context: Ingest, limit: Limit = 50, cursor: CursorText = None
) -> Page[FormVersion]:
    """List versions, newest first: which text was shown from when on."""
    before = _cursor.decode(cursor)
    async with context.db.transaction() as tx:
        await forms.require_current(tx, form_id)
        found = await store.list_versions(tx, form_id, before=before, limit=limit + 1)
    return _cursor.page([_shown(one) for one in found], limit, lambda shown: shown.version)


@router.get("/{form_id}/versions/{version}")
async def get_form_version(
    form_id: FormId, version: VersionNo, _: Shower, context: Ingest
) -> FormVersion:
    """Return one version: what somebody saw who named it."""
    async with context.db.transaction() as tx:
        return _shown(await forms.require_version(tx, form_id, version))


def _shown(version: Version) -> FormVersion:
    return FormVersion(
        form_id=version.form_id,
        version=version.version,
        published_at=version.published_at,
        form=form_bodies.of_form(version.form),
    )
