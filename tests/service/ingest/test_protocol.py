"""The till protocol in any order and repetition, on a real database, beside a small model."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.dialects import postgresql

from services.ingest import app, domain
from services.ingest.context import IngestContext
from services.ingest.handlers import changes, claims, members, sales
from services.ingest.settings import IngestSettings
from services.ingest.store import tables
from shared import ids
from shared.clock import FixedClock
from shared.contracts.purchases import Receipt as Net
from shared.contracts.topics import TOPICS
from shared.db import Tx, open_database
from shared.db.plumbing import outbox
from shared.errors import Refused
from tests.conftest import Templates
from tests.service.ingest import model
from tests.service.ingest.conftest import (
    IDENTITY_KEY,
    NOW,
    FakePositions,
    as_amendment,
    as_return,
    as_sale,
    as_void,
    card_of,
    enrolled,
    purchase_body,
    return_body,
    void_body,
)

EXAMPLES = 30
STEPS = 40
CARDS = {"a": "ann", "b": None}
"""What each receipt was identified by. Few of everything: so that steps meet."""

Row = tuple[int, UUID | None]
"""A receipt's revision and member."""

receipts = st.sampled_from(sorted(CARDS))
cards = st.sampled_from(["ann", "bob"])
others = st.sampled_from([False, False, False, False, True])
"""Whether another body comes under a number."""

SOLD: model.Lines = {1: (3, 300), 2: (1, 50)}
BACK: dict[int, model.Lines] = {1: {1: (1, 100)}, 2: {1: (2, 200)}, 3: {2: (1, 50)}}
CORRECTED: dict[int, model.Lines] = {2: {1: (3, 280)}, 3: {1: (2, 200), 2: (2, 80)}, 4: SOLD}
OTHER: model.Lines = {1: (1, 20)}
crashes = st.booleans()


class Stop(Exception):
    """Ends a transaction as the death of its process would."""


class Server:
    """Ingest's handlers on one database, called from outside its event loop."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        """Use ``runner`` for everything."""
        self.runner = runner
        told = {"database_url": url, "IDENTITY_KEY": IDENTITY_KEY}
        self.context: IngestContext = app.make_context(
            IngestSettings.model_validate(told),
            open_database(url.replace("://", "+asyncpg://", 1), application_name="protocol"),
            clock=FixedClock(NOW),
            positions=FakePositions(),
        )

    def run(self, unit: Callable[[Tx], Awaitable[Any]], *, crash: bool = False) -> Any:
        """Run ``unit`` in a transaction; with ``crash``, once more before that and in vain."""

        async def transaction(*, last: bool) -> Any:
            async with self.context.db.transaction() as tx:
                result = await unit(tx)
                if not last:
                    raise Stop
                return result

        if crash:
            with contextlib.suppress(Stop, Refused):
                self.runner.run(transaction(last=False))
        return self.runner.run(transaction(last=True))


class Tills(RuleBasedStateMachine):
    """Two receipts of a shop that no other example has, and two people."""

    server: Server
    shops = count()

    def __init__(self) -> None:
        """Open the shop."""
        super().__init__()
        self.shop = f"shop-{next(self.shops)}"
        self.people = model.People()
        self.receipts = {
            name: model.Receipt(self._card(card), self.people) for name, card in CARDS.items()
        }
        self.members: dict[str, UUID] = {}
        self.versions: dict[str, int] = {}
        self.tokens: dict[str, str] = {}
        self.published_before: int = self.server.run(_last_published)

    @rule(name=receipts, other=others, crash=crashes)
    def record(self, name: str, *, other: bool, crash: bool) -> None:
        """Sell something, once, again, or something else under the same number."""
        lines = OTHER if other else SOLD
        sale = as_sale(self._purchase(name, lines))

        async def unit(tx: Tx) -> domain.Outcome:
            return (await sales.record(tx, [sale], claim_key=b"k" * 32))[0]

        outcome = self._same(unit, self.receipts[name].record(lines), crash=crash)
        if outcome and outcome.claim_token:
            assert self.tokens.setdefault(name, outcome.claim_token) == outcome.claim_token

    @rule(name=receipts, number=st.sampled_from(sorted(BACK)), other=others, crash=crashes)
    def take_back(self, name: str, number: int, *, other: bool, crash: bool) -> None:
        """Bring goods back."""
        lines = OTHER if other else BACK[number]
        number_ = f"R{name}{number}"
        body = return_body(number_, store_id=self.shop, **_told(lines, sku=False))
        body["original"] |= {"store_id": self.shop, "receipt_no": name}
        body["occurred_at"] = f"2026-11-23T10:0{number}:00+01:00"
        expected = self.receipts[name].take_back(number, lines)
        self._change(as_return(body), expected, crash=crash)

    @rule(name=receipts, meant=others, other=others, crash=crashes)
    def void(self, name: str, *, meant: bool, other: bool, crash: bool) -> None:
        """Undo a sale; seldom, since it ends all else."""
        if not meant:
            return
        reason = "theft" if other else "mistake"
        body = void_body(store_id=self.shop, receipt_no=name, reason=reason)
        self._change(as_void(body), self.receipts[name].void(reason), crash=crash)

    @rule(name=receipts, revision=st.sampled_from(sorted(CORRECTED)), other=others, crash=crashes)
    def amend(self, name: str, revision: int, *, other: bool, crash: bool) -> None:
        """Put a sale right."""
        lines = OTHER if other else CORRECTED[revision]
        body = {"revision": revision, "reason": "", "purchase": self._purchase(name, lines)}
        expected = self.receipts[name].amend(revision, lines)
        self._change(as_amendment(body), expected, crash=crash)

    @rule(name=receipts, card=cards, crash=crashes)
    def claim(self, name: str, card: str, *, crash: bool) -> None:
        """Show a receipt's token, if it was given one."""
        token = self.tokens.get(name)
        if token is None:
            return
        who = card_of(self._card(card) or "")

        async def unit(tx: Tx) -> domain.Outcome:
            return await claims.claim(tx, token, who, self.server.context)

        expected = self.receipts[name].claim(self._card(card) or "")
        self._same(unit, expected, crash=crash)

    @rule(card=cards, crash=crashes)
    def enrol(self, card: str, *, crash: bool) -> None:
        """Enrol the holder of a card, or tell of it once more."""
        known = self._card(card) or ""
        if known not in self.people.owners:
            self.members[known] = ids.new_id()
            self.people.owners[known] = known
            for receipt in self.receipts.values():
                if receipt.sold is not None and receipt.card == known and receipt.member is None:
                    receipt.attribute(known)
        self._tell(known, crash=crash)

    @rule(gone=cards, left=cards, crash=crashes)
    def merge(self, gone: str, left: str, *, crash: bool) -> None:
        """Merge one member into another."""
        source, target = self._card(gone) or "", self._card(left) or ""
        known = {source, target} <= self.people.owners.keys()
        if known and source not in self.people.into and self.people.left(target) != source:
            self.people.into[source] = target
            self.versions[source] = 2
            self._tell(source, crash=crash)

    @invariant()
    def every_receipt_is_as_the_model_says(self) -> None:
        """Compare events and rows with the model: revisions, net states, members, keys."""
        told, rows = self.server.run(self._seen)
        for name, expected in self.receipts.items():
            events = told.get(name, [])
            assert [net.revision for _, net in events] == list(range(1, expected.revision + 1))
            if not events:
                continue
            key, net = events[-1]
            assert _lines_of(net) == expected.net
            assert net.total_minor == sum(amount for _, amount in expected.net.values())
            member = self.members.get(expected.member or "")
            assert net.member_id == member
            assert key == str(member or net.receipt_id)
            assert rows[name] == (net.revision, net.member_id)

    def _card(self, card: str | None) -> str | None:
        return f"{self.shop}-{card}" if card else None

    def _purchase(self, name: str, lines: model.Lines) -> dict[str, Any]:
        card = self.receipts[name].card
        member = {"card": card} if card else None
        return purchase_body(name, store_id=self.shop, member=member, **_told(lines, sku=True))

    def _tell(self, card: str, *, crash: bool) -> None:
        into = self.people.into.get(card)
        event = enrolled(
            card,
            member_id=self.members[card],
            version=self.versions.get(card, 1),
            merged_into=self.members[into] if into else None,
        )

        async def unit(tx: Tx) -> None:
            await members.on_members(tx, [event], self.server.context)

        self.server.run(unit, crash=crash)

    def _change(self, change: domain.Change, expected: model.Result, *, crash: bool) -> None:
        async def unit(tx: Tx) -> domain.Outcome:
            return await changes.take(tx, change, self.server.context)

        self._same(unit, expected, crash=crash)

    def _same(
        self,
        unit: Callable[[Tx], Awaitable[domain.Outcome]],
        expected: model.Result,
        *,
        crash: bool,
    ) -> domain.Outcome | None:
        """Run a step; its answer must be the model's."""
        try:
            outcome: domain.Outcome = self.server.run(unit, crash=crash)
        except Refused:
            assert expected == "refused"
            return None
        unchanged = outcome.kind == "accepted" and not outcome.changed
        assert ("unchanged" if unchanged else outcome.kind) == expected
        return outcome

    async def _seen(self, tx: Tx) -> tuple[dict[str, list[tuple[str, Net]]], dict[str, Row]]:
        """Return the shop's events by receipt, in the order in which they go out; and its rows."""
        told: dict[str, list[tuple[str, Net]]] = {}
        query = (
            sa.select(outbox.c.key, outbox.c.event_id, outbox.c.value)
            .where(outbox.c.id > self.published_before)
            .order_by(outbox.c.id)
        )
        published = (await tx.execute(query)).all()
        assert len({row.event_id for row in published}) == len(published), "published twice"
        for key, _, value in published:
            event: Any = TOPICS["purchases"].parse(value)
            told.setdefault(event.data.receipt_no, []).append((key.decode(), event.data))
        receipt = tables.receipt
        number = sa.cast(receipt.c.recorded, postgresql.JSONB)["receipt_no"].astext
        rows = await tx.execute(
            sa.select(number, receipt.c.revision, receipt.c.member_id).where(
                receipt.c.store_id == self.shop
            )
        )
        return told, {row[0]: (row[1], row[2]) for row in rows}


async def _last_published(tx: Tx) -> int:
    return int(await tx.scalar(sa.select(sa.func.max(outbox.c.id))) or 0)


def _told(lines: model.Lines, *, sku: bool) -> dict[str, Any]:
    """Return lines and total as a till sends them."""
    return {
        "lines": [
            {"line_no": number, "quantity": quantity, "amount_minor": amount}
            | ({"sku": f"sku-{number}"} if sku else {})
            for number, (quantity, amount) in lines.items()
        ],
        "total_minor": sum(amount for _, amount in lines.values()),
    }


def _lines_of(net: Net) -> model.Lines:
    return {one.line_no: (one.quantity_milli // 1000, one.amount_minor) for one in net.lines}


@pytest.fixture
def server(templates: Templates) -> Iterator[Server]:
    """One database for all examples: each has a shop of its own."""
    with asyncio.Runner() as runner:
        roles, name = runner.run(templates.clone(app.service()))
        made = Server(runner, templates.runtime_url(roles, name))
        yield made
        runner.run(made.context.db.close())


@pytest.mark.timeout(300)
def test_any_order_and_repetition_ends_as_the_model_says(server: Server) -> None:
    class Shop(Tills):
        pass

    Shop.server = server
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=[HealthCheck.too_slow],
            phases=(Phase.reuse, Phase.generate),  # a step is a transaction: too slow to shrink
            print_blob=True,
        ),
    )
