"""``/f/{form_id}``: a hosted form for the public; needs no script and sets no cookie.

The page's token says which version was shown and names the submission, so a second click and a
reload send the same submission again. An answer to POST is a redirect: going back is safe.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.ingest.api import form_views
from services.ingest.api.depends import Ingest
from services.ingest.api.form_bodies import FORM_ID
from services.ingest.api.form_views import Entered
from services.ingest.api.submissions import take
from services.ingest.context import IngestContext
from services.ingest.domain import forms as domain
from services.ingest.domain import tokens
from services.ingest.domain.forms import Form, Version
from services.ingest.domain.tokens import Shown
from services.ingest.handlers import forms
from services.ingest.handlers.submissions import Filled, FlawedAnswers
from shared import auth
from shared.db import run_unit
from shared.errors import Malformed, Refused, Unavailable
from shared.http import problem

BODY_BYTES_MAX = 64 * 1024
CONTROLS_MAX = 100
BAIT = "website"
"""A box that no person sees; only machines fill it in."""

router = APIRouter(tags=["hosted forms"], dependencies=[auth.public], include_in_schema=False)

Lang = Annotated[str | None, Query(max_length=35)]


@router.get("/f/{form_id}")
async def show_form(form_id: str, request: Request, context: Ingest, lang: Lang = None) -> Response:
    """Show a form in the language the visitor understands best."""
    wanted = _wanted(request, lang)
    try:
        current = await _hosted(form_id, context)
        domain.refuse_closed(current.form, at=context.clock.now())
    except (Refused, Unavailable) as error:
        return _told(error, wanted)
    language = domain.language(current.form, wanted)
    return _page(current, language, _token(current, language, context))


@router.post("/f/{form_id}")
async def send_form(form_id: str, request: Request, context: Ingest) -> Response:
    """Take what a visitor wrote; the same page sent twice is one submission."""
    wanted = _wanted(request, None)
    try:
        _slow_down(request, context)
        posted = await _posted(request)
        current = await _hosted(form_id, context)
        token, now = posted.get("token", ""), context.clock.now()
        shown = tokens.read(token, form_id, context.form_key, at=now)
        if shown is None:
            language = domain.language(current.form, wanted)
            return _again(current, language, posted, "expired", context)
        wanted = [shown.language]
        if posted.get(BAIT):
            return _thanks(form_id, shown.language)
        return await _take(current, shown, posted, context)
    except (Refused, Malformed, Unavailable) as error:
        return _told(error, wanted)


@router.get("/f/{form_id}/thanks")
async def show_thanks(
    form_id: str, request: Request, context: Ingest, lang: Lang = None
) -> Response:
    """Say thank you."""
    wanted = _wanted(request, lang)
    try:
        current = await _hosted(form_id, context)
    except (Refused, Unavailable) as error:
        return _told(error, wanted)
    language = domain.language(current.form, wanted)
    texts = current.form.texts[language]
    return form_views.message_page(language, texts.title, texts.thanks)


async def _hosted(form_id: str, context: IngestContext) -> Version:
    if not re.fullmatch(FORM_ID, form_id):
        raise Refused("form_not_found", "No form is called that.", status=404)
    current = await run_unit(context.db, lambda tx: forms.require_current(tx, form_id))
    if not current.form.hosted:
        raise Refused("form_not_found", "The form is not hosted.", status=404)
    return current


async def _take(
    current: Version, shown: Shown, posted: Mapping[str, str], context: IngestContext
) -> Response:
    seen = current
    if shown.version != current.version:
        seen = await run_unit(
            context.db,
            lambda tx: forms.require_version(tx, current.form_id, shown.version),
        )
    entered = _entered(seen.form, posted)
    filled = Filled(
        submission_id=shown.submission_id,
        form_id=seen.form_id,
        version=seen.version,
        language=shown.language,
        answers={name: value for name, value in entered.answers.items() if value.strip()},
        consents=tuple(sorted(entered.ticked)),
        source={"page": f"/f/{seen.form_id}"},
        via="hosted",
    )
    try:
        await take(filled, context)
    except FlawedAnswers as error:
        wrong = Entered(entered.answers, entered.ticked, error.flaws)
        token = posted["token"]
        return _page(seen, shown.language, token, entered=wrong, status=422)
    except Refused as error:
        if error.code != "form_version_outdated":
            raise
        language = domain.language(current.form, [shown.language])
        return _again(current, language, posted, "outdated", context)
    return _thanks(seen.form_id, shown.language)


def _again(
    version: Version,
    language: str,
    posted: Mapping[str, str],
    notice: str,
    context: IngestContext,
) -> HTMLResponse:
    """Show the current version with the answers, the boxes empty: the wording may be another."""
    entered = Entered(_entered(version.form, posted).answers, notice=notice)
    token = _token(version, language, context)
    return _page(version, language, token, entered=entered, status=409)


def _page(
    version: Version,
    language: str,
    token: str,
    *,
    entered: Entered = form_views.EMPTY,
    status: int = 200,
) -> HTMLResponse:
    return form_views.form_page(version.form, language, token=token, entered=entered, status=status)


def _token(version: Version, language: str, context: IngestContext) -> str:
    nonce = secrets.token_bytes(16)
    shown = Shown(version.version, language, context.clock.now(), nonce)
    return tokens.sign(shown, version.form_id, context.form_key)


def _thanks(form_id: str, language: str) -> Response:
    query = urlencode({"lang": language})
    return RedirectResponse(f"/f/{form_id}/thanks?{query}", status_code=303)


def _entered(form: Form, posted: Mapping[str, str]) -> Entered:
    answers = {
        one.name: posted[form_views.answer_input(one.name)]
        for one in form.fields
        if form_views.answer_input(one.name) in posted
    }
    ticked = frozenset(
        (one.purpose, one.channel)
        for one in form.consents
        if form_views.consent_input(one.purpose, one.channel) in posted
    )
    return Entered(answers, ticked)


async def _posted(request: Request) -> dict[str, str]:
    body = await request.body()
    text = body.decode("utf-8", "replace").replace("\x00", "")
    try:
        pairs = parse_qs(text, keep_blank_values=True, max_num_fields=CONTROLS_MAX)
    except ValueError as error:
        raise _too_large() from error
    if len(body) > BODY_BYTES_MAX:
        raise _too_large()
    return {name: values[-1].replace("\x00", "") for name, values in pairs.items()}


def _slow_down(request: Request, context: IngestContext) -> None:
    address = request.client.host if request.client else ""
    wait_s = context.form_posts.count(address)
    if wait_s:
        raise Refused("too_many_submissions", "Slow down.", status=429, retry_after_s=wait_s)


def _too_large() -> Refused:
    return Refused("body_too_large", "No form is that large.", status=413)


def _wanted(request: Request, lang: str | None) -> Sequence[str]:
    """Return the visitor's languages, best first: of the address, then of the browser."""
    accepted = tokens.languages_of(request.headers.get("accept-language", ""))
    return [lang, *accepted] if lang else accepted


_WORDS = {
    "form_not_found": "not_found",
    "too_many_submissions": "busy",
    "body_too_large": "too_large",
    "database_unavailable": "unavailable",
}


def _told(error: Exception, wanted: Sequence[str]) -> HTMLResponse:
    """Return a page that says in words what a problem document would say in codes."""
    told = problem.from_error(error)
    language = form_views.spoken(wanted)
    said = form_views.words(language)
    key = _WORDS.get(told.code, told.code)
    if f"{key}_title" not in said:
        key = "unavailable" if told.status >= 500 else "not_found"
    page = form_views.message_page(language, said[f"{key}_title"], said[key], status=told.status)
    page.headers.update(told.headers)
    return page
