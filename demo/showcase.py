"""Three households and one quote: what members and tills would see, asked of the APIs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from demo import data, members, plan
from demo.stack import Clients, Stack
from demo.steps import checked

ENTRIES = 100
_BY_BALANCE = sa.text(
    "SELECT member_id FROM account WHERE member_id = ANY(:of) ORDER BY available DESC, member_id"
)


@dataclass(frozen=True)
class Person:
    """One member, as the app would show them."""

    household: int
    member_id: UUID
    title: str
    balance: dict[str, Any]
    top_entry: dict[str, Any] | None
    offers: list[dict[str, Any]]


@dataclass(frozen=True)
class Quoted:
    """What a till would be told about a real basket if it came again today."""

    household: int
    basket: data.Basket
    quote: dict[str, Any]


async def people(
    clients: Clients, stack: Stack, joined: members.Members, late: Sequence[int]
) -> list[Person]:
    """Show the best customer, one in the middle, and one who joined late (if any did)."""
    households = {member_id: household for household, member_id in joined.by_household.items()}
    async with clients.databases["loyalty"].transaction() as tx:
        ranked = [row[0] for row in await tx.execute(_BY_BALANCE, {"of": list(households)})]
    if not ranked:
        return []
    order = [households[member_id] for member_id in ranked]
    chosen = {order[0]: "the best customer", order[len(order) // 2]: "one in the middle"}
    behind = [household for household in order if household in late and household not in chosen]
    last = behind[0] if behind else order[-1]
    chosen.setdefault(last, "joined after the second visit" if behind else "just beginning")
    return [
        await _person(
            clients,
            stack,
            household=household,
            member_id=joined.by_household[household],
            title=title,
        )
        for household, title in chosen.items()
    ]


async def _person(
    clients: Clients, stack: Stack, *, household: int, member_id: UUID, title: str
) -> Person:
    app = stack.key("app")
    loyalty, offers = clients.http["loyalty"], clients.http["offers"]
    at = f"/v1/members/{member_id}"
    entries = await checked(loyalty.get(f"{at}/entries", params={"limit": ENTRIES}, headers=app))
    wallet = await checked(offers.get(f"{at}/offers", headers=app))
    return Person(
        household=household,
        member_id=member_id,
        title=title,
        balance=await checked(loyalty.get(f"{at}/balance", headers=app)),
        top_entry=max(entries["data"], key=lambda entry: entry["points"], default=None),
        offers=wallet["data"],
    )


async def quote(
    clients: Clients,
    stack: Stack,
    *,
    sample: data.Sample,
    joined: members.Members,
    shown: Sequence[Person],
) -> Quoted | None:
    """Quote the last real basket in which one of the shown members bought what is on offer."""
    for person in shown:
        wanted = {product["sku"] for offer in person.offers for product in offer["products"]}
        for basket in reversed(sample.baskets):
            if basket.household != person.household:
                continue
            if any(line.sku in wanted and line.amount_minor > 0 for line in basket.lines):
                member_id = joined.by_household[person.household]
                return await _quoted(clients, stack, basket, member_id)
    return None


async def _quoted(clients: Clients, stack: Stack, basket: data.Basket, member_id: UUID) -> Quoted:
    body = {
        "store_id": basket.store_id,
        "member": {"member_id": str(member_id)},
        "currency": plan.CURRENCY,
        "lines": plan.lines(basket),
        "total_minor": basket.total_minor,
    }
    offers, app = clients.http["offers"], stack.key("app")
    answer = await checked(offers.post("/v1/quotes", json=body, headers=app))
    return Quoted(basket.household, basket, answer)
