"""Types of request fields with their limits, and the dependencies that routes share."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Request
from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from services.notify.context import NotifyContext
from services.notify.domain.matrix import Channel, Frequency, Purpose, Topic
from shared.auth import require
from shared.http import get_context


async def _context(request: Request) -> NotifyContext:
    context = get_context(request)
    assert isinstance(context, NotifyContext)  # app.open_context makes it
    return context


def _written(value: object) -> object:
    """Let only written times through: pydantic would take 1700000000 for one too."""
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise PydanticCustomError("instant", "must be written as in RFC 3339: 2026-11-22T…")


Ctx = Annotated[NotifyContext, Depends(_context)]

MEMBER_DATA = Depends(require("app", "staff", "admin"))
"""Who may see and change what belongs to a member."""
TEMPLATES = Depends(require("marketer", "admin"))

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
TemplateCode = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["offers_digest"])
]
Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A time with its offset, as in RFC 3339."""
Decision = Literal["given", "withdrawn"]

__all__ = [
    "MEMBER_DATA",
    "TEMPLATES",
    "Channel",
    "Ctx",
    "Decision",
    "Frequency",
    "Instant",
    "Label",
    "Purpose",
    "TemplateCode",
    "Topic",
]
