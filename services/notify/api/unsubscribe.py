"""The way out of a mail: one click, no login (RFC 8058).

Mailbox providers POST here without cookies, with a form body of either encoding; whatever the
body says, a POST with a good token is the wish itself. GET changes nothing, since virus scanners
and previews follow links.
"""

import html
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.notify.api.fields import Ctx
from services.notify.domain.tokens import Leave
from services.notify.handlers import choices
from shared import auth
from shared.db import run_unit

router = APIRouter(tags=["unsubscribe"], dependencies=[auth.public])

_HEADERS = {
    "Cache-Control": "no-store",
    # The token in the address must not travel on, and the page loads nothing.
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {programme}</title>
<style>
body {{ margin: 0; background: #f1f4ee; color: #1f2a24;
  font: 1.0625rem/1.5 "Helvetica Neue", Helvetica, Arial, sans-serif; }}
main {{ max-width: 30rem; margin: 12vh auto 0; padding: 2rem; background: #fff;
  border-radius: .75rem; }}
p.programme {{ margin: 0 0 1rem; color: #17603b; font-weight: 700; letter-spacing: .05em; }}
h1 {{ margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.3; }}
button {{ margin-top: .75rem; padding: .75rem 1.25rem; border: 0; border-radius: .5rem;
  background: #17603b; color: #fff; font: inherit; font-weight: 700; cursor: pointer; }}
button:focus-visible {{ outline: .1875rem solid #d98a00; outline-offset: .125rem; }}
</style>
</head>
<body>
<main>
<p class="programme">{programme}</p>
<h1>{title}</h1>
<p>{text}</p>
{form}</main>
</body>
</html>
"""
_FORM = """<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">{button}</button>
</form>
"""
_NOT_OURS: dict[int | str, dict[str, Any]] = {
    404: {"description": "The link is not one of ours.", "content": {"text/html": {}}}
}
_WHAT = {
    "points": "mail about your points",
    "tiers": "mail about your tier",
    "service": "service mail",
}
_MARKETING = "offers and news by e-mail"


def _page(
    context: Ctx, title: str, text: str, *, button: str = "", status: int = 200
) -> HTMLResponse:
    shown = _PAGE.format(
        programme=html.escape(context.programme_name),
        title=html.escape(title),
        text=html.escape(text),
        form=_FORM.format(button=html.escape(button)) if button else "",
    )
    return HTMLResponse(shown, status_code=status, headers=_HEADERS)


def _what(wish: Leave) -> str:
    return _WHAT.get(wish.topic, _MARKETING)


def _not_ours(context: Ctx) -> HTMLResponse:
    return _page(
        context,
        "This link does not work",
        "It may have been cut off: please copy the whole link from the mail.",
        status=404,
    )


@router.get("/u/{token}", response_class=HTMLResponse, responses=_NOT_OURS)
async def show_way_out(token: str, context: Ctx) -> HTMLResponse:
    """Show the page with the button; nothing is changed by looking at it."""
    wish = context.links.read(token)
    if wish is None:
        return _not_ours(context)
    return _page(
        context,
        f"Stop {_what(wish)}?",
        "One click and you get no more of it. You stay a member and keep your points.",
        button="Unsubscribe",
    )


@router.post("/u/{token}", response_class=HTMLResponse, responses=_NOT_OURS)
async def take_way_out(token: str, context: Ctx) -> HTMLResponse:
    """Unsubscribe; the second time is as good as the first."""
    wish = context.links.read(token)
    if wish is None:
        return _not_ours(context)
    await run_unit(context.db, lambda tx: choices.leave(tx, wish, context))
    return _page(
        context,
        "You are unsubscribed",
        f"You get no more {_what(wish)}. You are still a member and keep your points.",
    )
