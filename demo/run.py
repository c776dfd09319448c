"""One run of the demo, step by step."""

from dataclasses import dataclass
from uuid import UUID

from rich.console import Console

from demo import audit, data, members, page, plan, quiet, replay, showcase, steps, tills, totals
from demo.stack import Clients, Stack
from demo.tills import Record

APPLIED_WITHIN_S = 180.0
MAILED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Run:
    """What the steps share."""

    console: Console
    stack: Stack
    clients: Clients
    sample: data.Sample
    wanted: plan.Plan
    record: Record
    joined: members.Members

    async def go(self) -> page.Report:
        """Do everything; the page is made of what comes back."""
        with self.console.status("Registering shops, articles and tills"):
            await steps.register_catalogue(self.clients, self.stack, self.sample)
            keys = await steps.till_keys(self.clients, self.stack, self.sample.stores)
        with self.console.status("Enrolling members"):
            await steps.all_of(self.wanted.members, self.joined.enrol)
        url = self.stack.url("ingest")
        open_ = {shop: keys[shop] for shop in self.sample.stores}
        with self.record:
            async with tills.open_tills(url, open_, self.record) as shops:
                driven = replay.Replay(shops, self.joined.enrol, self.record)
                seconds = await replay.with_progress(driven, self.wanted, self.console)
        await self._settle()
        with self.console.status("Issuing offers"):
            await steps.issue_offers(self.clients, self.stack)
        await self._settle(messages=True)
        return await self._report(seconds)

    async def _settle(self, *, messages: bool = False) -> None:
        what = "Events and mails" if messages else "Events"
        with self.console.status(what) as status:
            await quiet.wait(
                self.clients.databases,
                deadline_s=MAILED_WITHIN_S if messages else APPLIED_WITHIN_S,
                tell=lambda left: status.update(f"Under way: {left}"),
                messages=messages,
            )

    async def _report(self, seconds: float) -> page.Report:
        databases = self.clients.databases
        counted = await totals.count(databases, self.stack.mail)
        findings = await audit.run(databases, driver(self.wanted, self.record))
        findings += audit.mails(
            sent=counted.mails_sent,
            caught=len(counted.mails),
            to_others=sum(not members.may_be_mailed(one) for one in counted.mailed_to),
        )
        late = [one.household for one in self.wanted.steps if isinstance(one, plan.Enrolment)]
        people = await showcase.people(self.clients, self.stack, self.joined, late)
        quoted = await showcase.quote(
            self.clients, self.stack, sample=self.sample, joined=self.joined, shown=people
        )
        return page.Report(
            wanted=self.wanted,
            record=self.record,
            seconds=seconds,
            totals=counted,
            people=people,
            quoted=quoted,
            findings=findings,
        )


def driver(wanted: plan.Plan, record: Record) -> audit.Driver:
    """Return what the driver was answered, for the audit."""
    sales: dict[UUID, UUID] = {}
    returns: set[UUID] = set()
    planned, net_minor = 0, 0
    for call in plan.calls(wanted):
        planned += 1
        event = record.events.get(call.key)
        if event is None:
            continue
        if call.path == "/v1/purchases":
            sales[event] = call.receipt_id
            net_minor += call.body["total_minor"]
        else:
            returns.add(event)
            net_minor -= call.body["total_minor"]
    return audit.Driver(planned, sales, frozenset(returns), net_minor)
