"""For tills: a typed client of Perennial's ingest, and a spool that outlives every outage.

``perennial_client.ingest`` is generated from the OpenAPI document; ``Spool`` and ``Sender`` are
what makes a till safe to pull the plug of. ``perennial_client.check`` is the conformance kit.
"""

from perennial_client.ingest import AuthenticatedClient
from perennial_client.sender import KeyNotAccepted, Patience, Sender
from perennial_client.spool import (
    BodyTooLarge,
    Entry,
    Kind,
    NumberTaken,
    OtherTerminal,
    Spool,
    SpoolError,
    SpoolFull,
    SpoolInUse,
    Status,
)

__all__ = [
    "AuthenticatedClient",
    "BodyTooLarge",
    "Entry",
    "KeyNotAccepted",
    "Kind",
    "NumberTaken",
    "OtherTerminal",
    "Patience",
    "Sender",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "SpoolInUse",
    "Status",
]
