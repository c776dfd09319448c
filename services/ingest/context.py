"""What ingest's handlers, routes and jobs are given."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.ingest.domain import Outcome, Sale
from services.ingest.groupcommit import GroupCommit
from services.ingest.settings import IngestSettings
from shared.auth.failures import Failures
from shared.db import Tx
from shared.http.peer import Peer
from shared.http.turns import Turns
from shared.service import Context

Positions = Callable[[str, int, Sequence[str]], Awaitable[Mapping[str, int | None]]]
"""``(topic, partition, groups)`` → each group's committed offset, None where it has none yet.

Answers within seconds also when Kafka is away: then with nothing.
"""


Record = Callable[[Tx, Sequence[Sale]], Awaitable[list[Outcome]]]
"""Records sales in one transaction, as the group commit does; answers each, in order."""


@dataclass(frozen=True)
class IngestContext(Context):
    """The common parts, and ingest's own."""

    settings: IngestSettings
    identity_key: bytes
    purchases: GroupCommit[Sale, Outcome]
    record: Record
    loyalty: Peer
    positions: Positions
    claim_failures: Failures
    """Claim tokens that were not valid, by key."""
    form_key: bytes
    """Signs the tokens of hosted forms."""
    uploads: Turns = field(default_factory=Turns)
    form_posts: Failures = field(default_factory=Failures)
    """What each address sent by hosted forms of late: the same fence as against guessed keys."""
