"""Notify on a real database, with a real SMTP server that catches what it sends."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.notify import app, jobs
from services.notify.channels import SmtpMailer, SmtpServer
from services.notify.consumer import HANDLERS
from services.notify.context import NotifyContext
from services.notify.settings import NotifySettings
from services.notify.store.tables import message
from shared.clock import FixedClock
from shared.contracts.envelope import Event
from shared.contracts.topics import TOPICS
from shared.db import Database
from shared.db.plumbing import outbox
from tests import builders
from tests.conftest import MakeDatabase
from tests.service.notify.post_office import PostOffice


@dataclass(frozen=True)
class Notify:
    """A running notify in small: feed it events, let it work, look at what it did."""

    context: NotifyContext
    clock: FixedClock
    post: PostOffice

    @property
    def db(self) -> Database:
        """The database."""
        return self.context.db

    async def feed(self, topic: str, *events: Event) -> None:
        """Hand events to the consumer's handler, in one transaction."""
        async with self.db.transaction() as tx:
            await HANDLERS[topic](tx, events, self.context)

    async def enrol(self, *, consent: bool = True, **contact: Any) -> UUID:
        """Make a member known, with an address and, by default, a yes to marketing."""
        member_id = uuid4()
        who = {"member_id": member_id, "subject": str(member_id)}
        await self.feed("members", builders.member_changed(**who))
        contact = {"email": f"{member_id}@example.org"} | contact
        await self.feed("member-contacts", builders.member_contact_changed(**who, **contact))
        if consent:
            await self.feed("interactions", builders.consent_given(**who))
        return member_id

    async def issue(self, member_id: UUID, count: int = 1, **changes: Any) -> list[UUID]:
        """Issue offers to a member, in one batch."""
        ids = [uuid4() for _ in range(count)]
        changes = {"time": self.clock.now()} | changes
        await self.feed(
            "offers",
            *(builders.offer_issued(offer_id=one, member_id=member_id, **changes) for one in ids),
        )
        return ids

    async def work(self) -> None:
        """Let the collecting time pass and run the jobs once."""
        self.clock.advance(self.context.dispatch.collect)
        await jobs.deliver_inbox(self.context)
        await jobs.dispatch_mail(self.context)

    async def messages(self, **where: Any) -> Sequence[sa.RowMapping]:
        """Return messages, oldest first."""
        query = sa.select(message).order_by(message.c.created_at, message.c.message_id)
        for name, value in where.items():
            query = query.where(message.c[name] == value)
        async with self.db.transaction() as tx:
            return (await tx.execute(query)).mappings().all()

    async def only(self, **where: Any) -> sa.RowMapping:
        """Return the one message."""
        [found] = await self.messages(**where)
        return found

    async def published(self, topic: str = "messages") -> list[Any]:
        """Return the events in the outbox."""
        query = sa.select(outbox.c.value).where(outbox.c.topic == topic).order_by(outbox.c.id)
        async with self.db.transaction() as tx:
            return [TOPICS[topic].parse(value) for value in (await tx.scalars(query)).all()]

    def settle_grace(self) -> None:
        """Pass the time in which a new member's consent may still be on its way."""
        self.clock.advance(self.context.dispatch.limits.consent_grace)


@pytest_asyncio.fixture
async def post() -> AsyncIterator[PostOffice]:
    """Open a post office."""
    office = PostOffice()
    await office.open()
    yield office
    await office.close()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at the time of the builders' events."""
    return FixedClock(builders.NOW)


@pytest_asyncio.fixture
async def notify(
    make_database: MakeDatabase, post: PostOffice, clock: FixedClock
) -> AsyncIterator[Notify]:
    """Notify with a fixed clock, sending to ``post``."""
    settings = NotifySettings.model_validate(
        {
            "database_url": "postgresql://unused",
            "unsubscribe_key": "ab" * 32,
            "public_url": "https://shop.example",
        }
    )
    db = await make_database(app.service())
    async with AsyncExitStack() as stack:
        context = replace(
            await app.open_context(settings, db, stack),
            clock=clock,
            mailer=SmtpMailer(SmtpServer("127.0.0.1", post.port, deadline_s=2.0)),
            jitter=lambda: 1.0,
        )
        yield Notify(context, clock, post)
