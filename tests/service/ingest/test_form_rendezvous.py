"""A message and the news of its sender, each under way as the other begins: they meet once."""

from uuid import uuid4

import httpx

from services.ingest.context import IngestContext
from services.ingest.handlers import members, submissions
from services.ingest.handlers.submissions import Filled
from shared.db import Database
from tests.service.ingest.conftest import enrol, published
from tests.service.ingest.form_examples import ANSWERS, put_form
from tests.service.ingest.newcomers import enrolled_with
from tests.service.ingest.test_rendezvous import interleave


def message() -> Filled:
    return Filled(
        submission_id=uuid4(),
        form_id="autumn",
        version=1,
        language="en",
        answers=ANSWERS["contact"],
        consents=(("marketing", "email"),),
        source={},
        via="hosted",
    )


async def test_enrolment_waits_for_the_message_that_is_being_taken(
    client: httpx.AsyncClient, db: Database, context: IngestContext
) -> None:
    await put_form(client)
    ann = enrolled_with(email="ann@example.org")

    async with db.engine.connect() as tx:
        first = submissions.submit(tx, message(), context)
        await interleave(db, first, tx, enrol(context, ann))

    (_, recorded), (key, consent) = await published(db)
    assert recorded.subject is None
    assert (consent.type, key) == ("consent.given.v1", str(ann.data.member_id))


async def test_message_waits_for_the_enrolment_that_is_being_stored(
    client: httpx.AsyncClient, db: Database, context: IngestContext
) -> None:
    await put_form(client)
    ann = enrolled_with(email="ann@example.org")

    async def second() -> None:
        async with db.transaction() as tx:
            await submissions.submit(tx, message(), context)

    async with db.engine.connect() as tx:
        first = members.on_members(tx, [ann], context)
        await interleave(db, first, tx, second())

    events = await published(db)
    assert [event.type for _, event in events] == ["interaction.recorded.v1", "consent.given.v1"]
    assert {key for key, _ in events} == {str(ann.data.member_id)}
