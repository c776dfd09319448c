"""What routes are given: the context, and who calls."""

from typing import Annotated

from fastapi import Depends, Request

from services.ingest.context import IngestContext
from shared.auth import Caller, require
from shared.http.context import get_context


async def ingest(request: Request) -> IngestContext:
    """Return ingest's context (async: FastAPI would run a plain function in a thread)."""
    context: IngestContext = get_context(request)
    return context


Ingest = Annotated[IngestContext, Depends(ingest)]
Till = Annotated[Caller, Depends(require("terminal", "app", "admin"))]
"""Whoever sends purchases; a terminal's key is bound to its store and terminal."""
Reader = Annotated[Caller, Depends(require("terminal", "app", "staff", "admin"))]
Claimant = Annotated[Caller, Depends(require("terminal", "app", "staff", "admin"))]
"""Whoever claims a receipt for a member."""
Clerk = Annotated[Caller, Depends(require("staff", "admin"))]
"""Whoever looks after what no rule could decide."""
Keeper = Annotated[Caller, Depends(require("marketer", "admin"))]
"""Whoever keeps the catalogue."""
Admin = Annotated[Caller, Depends(require("admin"))]
