"""What notify's handlers, routes and jobs are given."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address

from services.notify.channels import Mailer
from services.notify.domain import tokens
from services.notify.domain.catalogue import ShippedTemplate
from services.notify.domain.gates import Limits
from shared.service import Context

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)


@dataclass
class Outage:
    """Remembers that the mail server is away, so that it is not asked all the time."""

    failures: int = 0
    until: datetime | None = None

    def lasts(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def fail(self, now: datetime, jitter: float) -> None:
        self.failures += 1
        pause = min(FIRST_PAUSE * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE)
        self.until = now + pause * (0.5 + jitter / 2)

    def end(self) -> None:
        self.failures, self.until = 0, None


@dataclass(frozen=True)
class Dispatch:
    """How messages leave; the settings' numbers in the domain's types."""

    limits: Limits
    inbox_batch_max: int
    mail_batch_max: int
    connections: int
    lease: timedelta
    collect: timedelta


@dataclass(frozen=True)
class Links:
    """Makes and reads the links in mails."""

    public_url: str
    keys: tuple[bytes, ...] = field(repr=False)

    def unsubscribe(self, leave: tokens.Leave) -> str:
        return f"{self.public_url.rstrip('/')}/u/{tokens.sign(leave, self.keys[0])}"

    def read(self, token: str) -> tokens.Leave | None:
        return tokens.read(token, self.keys)


@dataclass(frozen=True)
class NotifyContext(Context):
    """The shared context, and what only messages need."""

    mailer: Mailer
    sender: Address
    programme_name: str
    links: Links
    dispatch: Dispatch
    shipped: Mapping[str, ShippedTemplate]
    outage: Outage = field(default_factory=Outage)
    jitter: Callable[[], float] = random.random
