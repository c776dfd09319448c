"""What handlers are given: the shared parts, and the settings that rules need."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.offers.store.candidates import Scope
from shared.service import Context

SOURCE = "perennial/offers"
"""The ``source`` of every event that this service publishes."""


@dataclass(frozen=True)
class OffersContext(Context):
    """One per process."""

    zone: ZoneInfo
    scope: Scope
    issue_chunk_members: int
    popularity_max_age_s: float
