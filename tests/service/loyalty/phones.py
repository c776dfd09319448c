"""What tests of app codes share: a member's phone, which makes codes without a network."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

from services.loyalty.domain import appcodes


@dataclass(frozen=True)
class Phone:
    """An enrolled app: all that it knows is what the enrolment answered."""

    answer: dict[str, Any]

    def code(self, at: datetime) -> str:
        return appcodes.code_of(self.answer["number"], self.answer["secret"], appcodes.step_at(at))


async def enrol(client: httpx.AsyncClient, card: str) -> str:
    """Enrol a member with a card, and phone and e-mail made from it; return their id."""
    body = {
        "identifiers": [
            {"kind": "card", "value": card},
            {"kind": "app_id", "value": f"app-{card}"},
        ],
        "name": "Ann Lee",
        "email": f"ann{card}@example.org",
        "phone": f"+1202555{card[-4:]}",
    }
    answer = await client.post("/v1/members", json=body)
    assert answer.status_code == 201
    member_id: str = answer.json()["member_id"]
    return member_id


async def enrol_phone(client: httpx.AsyncClient, member_id: str) -> Phone:
    """Enrol a phone of a member."""
    answer = await client.post(
        f"/v1/members/{member_id}/devices",
        json={"name": "Ann's phone"},
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == 201, answer.text
    return Phone(answer.json())
