"""What hosted forms look like: HTML that needs no script and loads nothing."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from fastapi.responses import HTMLResponse
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.ingest.domain.forms import Field, Flaw, Form

TEMPLATES = Path(__file__).parents[1] / "templates"
RADIOS_MAX = 6
"""A choice with more options is a list to unfold."""
FALLBACK = "en"

_CONTROLS = {"email": "email", "phone": "tel", "birth_date": "date", "text": "textarea"}
_AUTOCOMPLETE = {"name": "name", "email": "email", "phone": "tel", "birth_date": "bday"}


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in a form when it is shown."""

    answers: Mapping[str, str]
    """By the name of the field."""
    ticked: frozenset[tuple[str, str]] = frozenset()
    flaws: Mapping[str, Flaw] | None = None
    notice: str | None = None
    """Key of the words to say above the form."""


EMPTY = Entered(answers={})


def form_page(
    form: Form,
    language: str,
    *,
    token: str,
    entered: Entered = EMPTY,
    status: int = 200,
) -> HTMLResponse:
    """Return the page of a form, with what was entered and what is wrong with it."""
    said = words(language)
    texts = form.texts[language]
    fields = [_field(one, language, entered, said) for one in form.fields]
    values = {
        "title": texts.title,
        "paragraphs": _paragraphs(texts.intro),
        "submit": texts.submit,
        "privacy_url": texts.privacy_url,
        "token": token,
        "fields": fields,
        "errors": [one for one in fields if one["error"]],
        "notice": said[entered.notice] if entered.notice else None,
        "consents": [
            {
                "id": f"c-{number}",
                "input": consent_input(one.purpose, one.channel),
                "wording": one.wording[language],
                "ticked": (one.purpose, one.channel) in entered.ticked,
            }
            for number, one in enumerate(form.consents)
        ],
    }
    return _page("form.html", language, values, status)


def message_page(language: str, title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Return a page that only says something."""
    values = {"title": title, "paragraphs": _paragraphs(text)}
    return _page("page.html", language, values, status)


def words(language: str) -> Mapping[str, Any]:
    """Return what the pages themselves say; in English where the language is not known."""
    known = _words()
    return known.get(language.lower().partition("-")[0], known[FALLBACK])


def spoken(wanted: Iterable[str]) -> str:
    """Return the first of these languages that the pages themselves speak."""
    roots = (one.lower().partition("-")[0] for one in wanted)
    return next((one for one in roots if one in _words()), FALLBACK)


def answer_input(name: str) -> str:
    """Return the name of a field's control."""
    return f"a.{name}"


def consent_input(purpose: str, channel: str) -> str:
    """Return the name of a consent's box."""
    return f"c.{purpose}.{channel}"


def _field(
    field: Field, language: str, entered: Entered, said: Mapping[str, Any]
) -> dict[str, object]:
    flaw = (entered.flaws or {}).get(field.name)
    return {
        "id": f"f-{field.name}",
        "input": answer_input(field.name),
        "control": _control(field),
        "autocomplete": _AUTOCOMPLETE.get(field.kind),
        "label": field.label[language],
        "hint": field.hint.get(language),
        "required": field.required,
        "chars_max": field.chars_max,
        "options": [{"value": one.value, "label": one.label[language]} for one in field.options],
        "value": entered.answers.get(field.name, ""),
        "error": said["flaws"][flaw] if flaw else None,
    }


def _control(field: Field) -> str:
    if field.kind != "choice":
        return _CONTROLS.get(field.kind, "text")
    if len(field.options) == 1:
        return "tick"
    return "radios" if len(field.options) <= RADIOS_MAX else "select"


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]


def _page(template: str, language: str, values: Mapping[str, object], status: int) -> HTMLResponse:
    style = _style()
    html = (
        _environment()
        .get_template(template)
        .render(**values, language=language, words=words(language), style=style)
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers = {
        "Content-Language": language,
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Language",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(html, status, headers)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    # The form's texts are values, never templates; the sandbox is the second fence.
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Mapping[str, Any]]:
    return yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
