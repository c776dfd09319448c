"""Types of request fields with their limits, and the dependencies that routes share."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Request
from pydantic import Field

from services.notify.context import NotifyContext
from services.notify.domain.matrix import Channel, Frequency, Purpose, Topic
from shared.auth import require
from shared.http import get_context


async def _context(request: Request) -> NotifyContext:
    context = get_context(request)
    assert isinstance(context, NotifyContext)  # app.open_context makes it
    return context


Ctx = Annotated[NotifyContext, Depends(_context)]

MEMBER_DATA = Depends(require("app", "staff", "admin"))
"""Who may see and change what belongs to a member."""
TEMPLATES = Depends(require("marketer", "admin"))

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
TemplateCode = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["offers_digest"])
]
Decision = Literal["given", "withdrawn"]

__all__ = [
    "MEMBER_DATA",
    "TEMPLATES",
    "Channel",
    "Ctx",
    "Decision",
    "Frequency",
    "Label",
    "Purpose",
    "TemplateCode",
    "Topic",
]
