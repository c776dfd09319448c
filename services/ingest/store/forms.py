"""Forms and their versions."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert

from services.ingest.domain.forms import Form, Version
from services.ingest.store.form_tables import form, form_version
from shared.db import Tx

FORM: TypeAdapter[Form] = TypeAdapter(Form)
"""A form to and from the JSON that is stored."""


async def lock_form(tx: Tx, form_id: str) -> int:
    """Lock a form, which need not be there yet; return its current version, 0 for none."""
    await tx.execute(insert(form).values(form_id=form_id, version=0).on_conflict_do_nothing())
    query = sa.select(form.c.version).where(form.c.form_id == form_id).with_for_update()
    return (await tx.execute(query)).scalar_one()


async def append_version(tx: Tx, new: Version, *, by: str, previous_until: datetime) -> None:
    """Publish a version of a form that ``lock_form`` locked."""
    await tx.execute(
        form_version.insert().values(
            form_id=new.form_id,
            version=new.version,
            definition=FORM.dump_json(new.form).decode(),
            published_by=by,
            published_at=new.published_at,
            previous_until=previous_until,
        )
    )
    await tx.execute(form.update().values(version=new.version).where(form.c.form_id == new.form_id))


async def load_version(tx: Tx, form_id: str, version: int) -> Version | None:
    """Return one version."""
    query = sa.select(form_version).where(
        form_version.c.form_id == form_id, form_version.c.version == version
    )
    row = (await tx.execute(query)).one_or_none()
    return _version(row) if row else None


async def load_current(tx: Tx, form_id: str) -> Version | None:
    """Return the newest version."""
    query = (
        sa.select(form_version)
        .where(form_version.c.form_id == form_id)
        .order_by(form_version.c.version.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).one_or_none()
    return _version(row) if row else None


async def load_valid_until(tx: Tx, form_id: str, version: int) -> datetime | None:
    """Return when a version ceases to count; None while no newer one says so."""
    query = sa.select(sa.func.min(form_version.c.previous_until)).where(
        form_version.c.form_id == form_id, form_version.c.version > version
    )
    until: datetime | None = await tx.scalar(query)
    return until


async def list_versions(tx: Tx, form_id: str, *, before: int | None, limit: int) -> list[Version]:
    """Return versions, newest first."""
    query = (
        sa.select(form_version)
        .where(form_version.c.form_id == form_id)
        .order_by(form_version.c.version.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(form_version.c.version < before)
    return [_version(row) for row in await tx.execute(query)]


def _version(row: "sa.Row[Any]") -> Version:
    return Version(row.form_id, row.version, row.published_at, FORM.validate_json(row.definition))
