"""Saving and previewing templates."""

from dataclasses import dataclass
from typing import Any

from services.notify.context import NotifyContext
from services.notify.domain import catalogue, matrix, templates
from services.notify.domain.templates import Compiled, Source, UnfitTemplate
from services.notify.store import templates as saved_templates
from services.notify.store.templates import SavedTemplate
from shared.db import Tx
from shared.errors import Malformed, Refused


@dataclass(frozen=True, slots=True)
class Preview:
    """What a template looks like with sample values."""

    version: int | None
    subject: str
    html: str
    text: str
    inbox_title: str
    inbox_text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A template to save, and by which key."""

    code: str
    topic: matrix.Topic
    source: Source
    by: str


async def save(tx: Tx, wanted: Wanted, context: NotifyContext) -> SavedTemplate:
    """Save the next version of a template, if it compiles and can be filled.

    A code keeps its topic for ever, and with it the consent that its messages need: a marketing
    template does not become a service message.
    """
    code = wanted.code
    await saved_templates.lock_code(tx, code)
    newest = await saved_templates.load_template(tx, code)
    shipped = context.shipped.get(code)
    known = newest.topic if newest else shipped.topic if shipped else None
    if known is not None and known != wanted.topic:
        raise Refused("template_topic_fixed", f"The template {code} is about {known}.")
    compiled, _ = _tried(wanted.source, context)
    if newest is not None and newest.source == wanted.source:
        return newest
    version = newest.version + 1 if newest else 1
    saved = SavedTemplate(code, version, wanted.topic, wanted.source, compiled)
    await saved_templates.append_template(tx, saved, created_by=wanted.by)
    return saved


async def preview(tx: Tx, code: str, draft: Source | None, context: NotifyContext) -> Preview:
    """Render a draft, or else the version that holds, with sample values."""
    if draft is not None:
        _, shown = _tried(draft, context)
        return Preview(None, *shown)
    saved = await saved_templates.load_template(tx, code)
    shipped = context.shipped.get(code)
    if saved is not None:
        return Preview(saved.version, *_filled(saved.compiled, context))
    if shipped is not None:
        return Preview(0, *_filled(shipped.compiled, context))
    raise Refused("template_unknown", f"There is no template {code}.", status=404)


Filled = tuple[str, str, str, str, str]


def _tried(source: Source, context: NotifyContext) -> tuple[Compiled, Filled]:
    try:
        compiled = templates.compile_source(source)
        return compiled, _filled(compiled, context)
    except UnfitTemplate as error:
        raise Malformed(
            "template_unfit",
            "The template can not be used.",
            errors=[{"field": error.part, "message": error.message}],
        ) from error


def _filled(compiled: Compiled, context: NotifyContext) -> Filled:
    values: dict[str, Any] = catalogue.sample_values()
    values["programme"] = {"name": context.programme_name}
    return (
        *templates.render_mail(compiled, values),
        *templates.render_inbox(compiled, values),
    )
