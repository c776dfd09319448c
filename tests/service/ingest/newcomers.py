"""News of members by any identifier, as loyalty would publish it."""

from uuid import UUID

from shared import identity, ids
from shared.contracts.members import IdentifierHash, MemberChanged, MemberState
from tests.service.ingest.conftest import IDENTITY_KEY, NOW


def enrolled_with(
    *,
    member_id: UUID | None = None,
    version: int = 1,
    status: str = "active",
    merged_into: UUID | None = None,
    **values: str,
) -> MemberChanged:
    """Return the event that a member has these identifiers, written in their normal form."""
    key = identity.read_key(IDENTITY_KEY)
    hashes = [
        IdentifierHash.model_validate(
            {"kind": kind, "hmac": identity.identifier_hmac(key, kind, value)}
        )
        for kind, value in values.items()
    ]
    state = MemberState.model_validate(
        {
            "member_id": member_id or ids.new_id(),
            "version": version,
            "status": status,
            "merged_into": merged_into,
            "enrolled_at": NOW,
            "identifiers": hashes,
        }
    )
    return MemberChanged(
        id=ids.new_id(),
        source="perennial/loyalty",
        time=NOW,
        subject=str(state.member_id),
        data=state,
    )
