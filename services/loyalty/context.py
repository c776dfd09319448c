"""What loyalty's handlers, routes and jobs are given."""

from dataclasses import dataclass

from services.loyalty.domain.programme import Programme
from shared.service import Context


@dataclass(frozen=True)
class LoyaltyContext(Context):
    """The shared context, the programme in force, and the key that identifiers are hashed with."""

    programme: Programme
    identity_key: bytes
