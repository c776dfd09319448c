"""The envelope of every event: CloudEvents 1.0, structured JSON.

Readers ignore fields they do not know (a newer writer may add some); writers fill every field
that the contract of the type requires. https://github.com/cloudevents/spec
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SAFE_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""

Minor = Annotated[int, Field(ge=-SAFE_INT, le=SAFE_INT)]
"""Money in minor units of the currency beside it (cents for USD, yen for JPY)."""

Amount = Annotated[int, Field(ge=0, le=SAFE_INT)]
"""As ``Minor``, never negative."""

Points = Annotated[int, Field(ge=-SAFE_INT, le=SAFE_INT)]
"""Loyalty points; always whole."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""


class Contract(BaseModel):
    """Base of everything that travels between services: frozen, unknown fields ignored.

    The docstring under a field is its description in the published schema.
    """

    # Built when first used: a process makes or reads few of all that there are.
    model_config = ConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, defer_build=True
    )


class Event(Contract):
    """CloudEvents attributes; each event type narrows ``type`` and adds ``data``."""

    specversion: Literal["1.0"] = "1.0"
    """Version of CloudEvents."""
    id: UUID
    """The dedupe key, for ever; a retry or a replay has the same one (see ``shared.ids``)."""
    source: str
    """The service that publishes, such as ``perennial/ingest``."""
    type: str
    """What happened, and the major version of its contract."""
    time: AwareDatetime
    """When the fact happened, which may be long before it was published."""
    subject: str | None = None
    """The member id; absent while the member is unknown, and for facts about no member."""
    datacontenttype: Literal["application/json"] = "application/json"
    """Media type of ``data``."""
    dataschema: str = ""
    """``urn:perennial:schema:`` and the type; filled in where the writer left it out."""

    def model_post_init(self, _context: object, /) -> None:
        """Fill ``dataschema`` from ``type`` where the writer left it out."""
        if not self.dataschema:
            object.__setattr__(self, "dataschema", f"urn:perennial:schema:{self.type}")
