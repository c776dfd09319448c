"""Every topic: who publishes, what it carries, how long it is kept."""

from dataclasses import dataclass, field
from typing import Annotated, Union, get_args

from pydantic import ConfigDict, Discriminator, TypeAdapter

from shared.contracts import structs
from shared.contracts.catalogue import CatalogueEvent
from shared.contracts.credentials import CredentialEvent, CredentialUsed
from shared.contracts.envelope import Event
from shared.contracts.interactions import InteractionEvent
from shared.contracts.loyalty import LoyaltyEvent
from shared.contracts.members import MemberChanged, MemberContactChanged
from shared.contracts.messages import MessageEvent
from shared.contracts.offers import OfferEvent
from shared.contracts.purchases import PurchaseEvent

DAY_MS = 86_400_000
TOMBSTONE_RETENTION_MS = 7 * DAY_MS
"""How long a compacted topic keeps the record that deletes a key."""
DEFAULT_PARTITIONS = 12
"""Enough for twelve consumers of one group; fixed once a topic exists, for a key must not move."""


@dataclass(frozen=True)
class Topic:
    """One topic. ``retention_days`` None means compacted and kept for ever."""

    name: str
    publishers: tuple[str, ...]
    types: tuple[type[Event], ...]
    key: str
    """What a record's key says, in words; records of one key stay in order."""
    retention_days: int | None = None
    busy: bool = False
    """Whether reading takes so much of a consumer's time that it is done by structs."""
    events: TypeAdapter[Event] = field(init=False, repr=False, compare=False)
    """Parses any of ``types``, told apart by ``type``."""
    read: structs.Reader = field(init=False, repr=False, compare=False)
    """Makes what a consumer is given of one record's value; raises ``Unreadable``."""

    def __post_init__(self) -> None:
        """Build parser and reader once."""
        object.__setattr__(self, "events", _one_of(self.types))
        read = (
            structs.fast_reader(self.types) if self.busy else structs.validating_reader(self.events)
        )
        object.__setattr__(self, "read", read)

    @property
    def compacted(self) -> bool:
        """Whether Kafka keeps only the newest record of each key."""
        return self.retention_days is None

    def parse(self, value: bytes) -> Event:
        """Parse one record's value; raises ``pydantic.ValidationError``."""
        return self.events.validate_json(value)


def type_name(event: type[Event]) -> str:
    """Return the ``type`` that events of this class carry."""
    name: str = event.model_fields["type"].default
    return name


def _one_of(types: tuple[type[Event], ...]) -> TypeAdapter[Event]:
    if len(types) == 1:
        return TypeAdapter(types[0])
    # A union made at run time is a type to pydantic, and none to linter and checker.
    union = Union[types]  # noqa: UP007
    return TypeAdapter(  # pyright: ignore[reportUnknownVariableType]
        Annotated[union, Discriminator("type")],  # pyright: ignore[reportArgumentType, reportInvalidTypeForm]
        config=ConfigDict(defer_build=True),
    )


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "purchases",
            ("ingest",),
            get_args(PurchaseEvent),
            key="member id, or receipt id while the member is unknown",
            retention_days=28,
            busy=True,
        ),
        Topic(
            "interactions",
            ("ingest", "loyalty", "notify"),
            get_args(InteractionEvent),
            key="member id, or event id while the member is unknown",
            retention_days=14,
        ),
        Topic("members", ("loyalty",), (MemberChanged,), key="member id"),
        Topic("member-contacts", ("loyalty",), (MemberContactChanged,), key="member id"),
        Topic(
            "catalogue",
            ("ingest",),
            get_args(CatalogueEvent),
            key="store:<store_id> or sku:<sku>",
        ),
        Topic(
            "credentials",
            ("ingest",),
            get_args(CredentialEvent),
            key="key id, or heartbeat",
        ),
        Topic(
            "credential-uses",
            ("ingest", "loyalty", "offers", "notify"),
            (CredentialUsed,),
            key="key id",
            retention_days=7,
        ),
        Topic("loyalty", ("loyalty",), get_args(LoyaltyEvent), key="member id", retention_days=28),
        Topic("offers", ("offers",), get_args(OfferEvent), key="member id", retention_days=28),
        Topic("messages", ("notify",), get_args(MessageEvent), key="member id", retention_days=14),
    )
}
