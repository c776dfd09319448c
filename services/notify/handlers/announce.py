"""What others are told of messages, appended to the outbox of the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.domain.gates import Check
from shared import ids
from shared.contracts.messages import (
    Gate,
    MessageDecision,
    MessageSent,
    MessageSuppressed,
)
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing

SOURCE = "perennial/notify"


@dataclass(frozen=True, slots=True)
class Told:
    """A message that was decided for good."""

    message_id: UUID
    member_id: UUID
    topic: str
    channel: str
    template: str
    cause_id: UUID
    sent: bool
    checks: Sequence[Check]


async def decided(tx: Tx, tellings: Sequence[Told], *, at: datetime) -> None:
    """Announce messages sent and messages decided against; no personal data, no content."""
    await outbox.append(tx, [_outgoing(told, at) for told in tellings])


def _outgoing(told: Told, at: datetime) -> Outgoing:
    subject = str(told.member_id)
    kind = MessageSent if told.sent else MessageSuppressed
    type_ = "message.sent.v1" if told.sent else "message.suppressed.v1"
    event = kind(
        id=ids.derived_id(told.message_id, type_),
        source=SOURCE,
        time=at,
        subject=subject,
        data=MessageDecision.model_validate(
            {
                "message_id": told.message_id,
                "member_id": told.member_id,
                "topic": told.topic,
                "channel": told.channel,
                "template": told.template,
                "cause_id": told.cause_id,
                "gates": [
                    Gate(gate=check.gate, passed=check.passed, detail=check.detail)
                    for check in told.checks
                ],
            }
        ),
    )
    return Outgoing("messages", subject, event)
