"""What every builder stands on: defaults, overrides, and no misspelt ones."""

from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from shared import ids
from shared.contracts.envelope import Contract, Event

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FRESH = datetime(2100, 1, 1, tzinfo=UTC)
"""A heartbeat of ingest's that is not stale at whatever time a test's clock says."""
MEMBER = UUID("01936d5a-0000-7000-8000-000000000001")
STORE, TERMINAL, CURRENCY = "0042", "0042-03", "USD"

ContractT = TypeVar("ContractT", bound=Contract)
EventT = TypeVar("EventT", bound=Event)
ENVELOPE = ("id", "source", "time", "subject")


def contract(
    kind: type[ContractT], defaults: dict[str, Any], overrides: dict[str, Any]
) -> ContractT:
    """Build ``kind`` from defaults and overrides; an override that is no field raises."""
    unknown = overrides.keys() - kind.model_fields.keys()
    if unknown:
        message = f"{kind.__name__} has no field {', '.join(sorted(unknown))}"
        raise TypeError(message)
    return kind.model_validate({**defaults, **overrides})


def event(
    kind: type[EventT],
    state: type[Contract],
    defaults: dict[str, Any],
    overrides: dict[str, Any],
) -> EventT:
    """Build an event about ``state``, in an envelope of its own."""
    envelope, fields = split(overrides)
    data = contract(state, defaults, fields)
    member: UUID | None = getattr(data, "member_id", None)
    return kind.model_validate(
        {
            "id": ids.new_id(),
            "source": "perennial/tests",
            "time": NOW,
            "subject": None if member is None else str(member),
            "data": data,
            **envelope,
        }
    )


def split(overrides: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part overrides of the envelope from those of the data."""
    envelope = {name: value for name, value in overrides.items() if name in ENVELOPE}
    return envelope, {name: value for name, value in overrides.items() if name not in ENVELOPE}
