"""Bases of what comes in over HTTP."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Request(BaseModel):
    """Base of request bodies: a field that we do not know is a mistake, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
"""Text that Postgres can store: it has no NUL."""
