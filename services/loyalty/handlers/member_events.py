"""What others are told of members: who is one, how to reach them, what they agreed to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.domain.members import Identifier, Member
from shared import ids
from shared.contracts.interactions import Consent, ConsentGiven
from shared.contracts.members import (
    MemberChanged,
    MemberContact,
    MemberContactChanged,
    MemberState,
)
from shared.db.outbox import Outgoing

SOURCE = "perennial/loyalty"


def state(member: Member, identifiers: Sequence[Identifier], *, at: datetime) -> Outgoing:
    """Return the member's state for ``members``: hashes only, no personal data."""
    subject = str(member.member_id)
    announced = MemberChanged(
        id=ids.derived_id(member.member_id, "member.changed.v1", member.version),
        source=SOURCE,
        time=at,
        subject=subject,
        data=MemberState.model_validate(
            {
                "member_id": member.member_id,
                "version": member.version,
                "status": member.status,
                "enrolled_at": member.enrolled_at,
                "tier": member.tier,
                "locale": member.profile.locale,
                "time_zone": member.profile.time_zone,
                "home_store": member.profile.home_store,
                "merged_into": member.merged_into,
                "identifiers": [{"kind": one.kind, "hmac": one.hmac} for one in identifiers],
                "imported": member.imported,
            }
        ),
    )
    return Outgoing("members", subject, announced)


def contact(member: Member, *, at: datetime) -> Outgoing:
    """Return how to reach the member, for ``member-contacts``."""
    subject = str(member.member_id)
    announced = MemberContactChanged(
        id=ids.derived_id(member.member_id, "member.contact_changed.v1", member.version),
        source=SOURCE,
        time=at,
        subject=subject,
        data=MemberContact(
            member_id=member.member_id,
            version=member.version,
            name=member.profile.name,
            email=member.profile.email,
            phone=member.profile.phone,
            locale=member.profile.locale,
            time_zone=member.profile.time_zone,
        ),
    )
    return Outgoing("member-contacts", subject, announced)


def consent_given(consent: Consent, ordinal: int) -> Outgoing:
    """Return a consent with its evidence, for ``interactions``."""
    return _consent(consent, ids.derived_id(consent.member_id, "consent.given.v1", ordinal))


def consent_imported(consent: Consent) -> Outgoing:
    """Return a consent given elsewhere; its id is derived from what it says, however often."""
    evidence = consent.evidence
    wording = (evidence.wording_id, str(evidence.wording_version), evidence.source)
    instant = str(int(evidence.recorded_at.timestamp() * 1_000_000))
    said = ":".join(("consent", consent.purpose, consent.channel, "given", *wording, instant))
    return _consent(consent, ids.derived_id(consent.member_id, said))


def _consent(consent: Consent, event_id: UUID) -> Outgoing:
    subject = str(consent.member_id)
    announced = ConsentGiven(
        id=event_id,
        source=SOURCE,
        time=consent.evidence.recorded_at,
        subject=subject,
        data=consent,
    )
    return Outgoing("interactions", subject, announced)
