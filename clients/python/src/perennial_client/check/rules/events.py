"""Events: what was accepted can be followed until every service has it."""

from uuid import uuid4

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, Till


@rule("event-followed", "What was accepted can be followed at its status_url.")
async def _(till: Till) -> None:
    answer = (await till.send(PURCHASES, till.sale())).expect(202)
    told = await till.status(answer)
    told.expect(200, event_id=answer.json.get("event_id"), kind="purchase")
    status = told.json.get("status")
    told.check(status in {"accepted", "published", "processed"}, f"its status is {status}")


@rule("event-processed", "It is published, and processed by every service, within the time given.")
async def _(till: Till) -> None:
    answer = (await till.send(PURCHASES, till.sale())).expect(202)
    told = await till.until(answer, "processed")
    told.check(told.json.get("published_at"), "expected published_at")
    steps = told.json.get("services", {})
    told.check(steps and set(steps.values()) == {"processed"}, f"expected services, got {steps}")


@rule("event-unknown", "An event that nobody had is a 404.")
async def _(till: Till) -> None:
    (await till.read(f"/v1/events/{uuid4()}")).expect(404, code="event_not_found")
