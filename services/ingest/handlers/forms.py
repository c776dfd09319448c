"""Publish versions of forms; what was published never changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.domain import forms as domain
from services.ingest.domain.forms import Form, Version
from services.ingest.store import forms as store
from shared.db import Tx
from shared.errors import Refused

VERSIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Published:
    """The version that now is the current one; not ``new`` if it was so already."""

    version: Version
    new: bool


async def publish(tx: Tx, form_id: str, form: Form, *, by: str, at: datetime) -> Published:
    """Make ``form`` the current version; the same as the current one again changes nothing."""
    number = await store.lock_form(tx, form_id)
    if number:
        current = await require_version(tx, form_id, number)
        if current.form == form:
            return Published(current, new=False)
        domain.refuse_changed_rules(current.form, form)
    if number >= VERSIONS_MAX:
        raise Refused("form_versions_exhausted", f"A form has at most {VERSIONS_MAX} versions.")
    version = Version(form_id, number + 1, at, form)
    until = at + timedelta(minutes=form.previous_valid_minutes)
    await store.append_version(tx, version, by=by, previous_until=until)
    return Published(version, new=True)


async def require_current(tx: Tx, form_id: str) -> Version:
    """Return the current version; ``Refused`` (404) if there is no such form."""
    current = await store.load_current(tx, form_id)
    if current is None:
        raise Refused("form_not_found", "There is no such form.", status=404)
    return current


async def require_version(tx: Tx, form_id: str, version: int) -> Version:
    """Return that version; ``Refused``: 404 without such a form, 422 without such a version."""
    found = await store.load_version(tx, form_id, version)
    if found is None:
        await require_current(tx, form_id)
        raise Refused("form_version_unknown", "The form has no such version.", status=422)
    return found
