"""The households as members: made-up people, most of whom agreed to e-mails."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx

from demo import data, plan, tills

AGREED_SHARE = 0.8
_FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hal", "Ida", "Jon", "Kim", "Lea")
_LAST = ("Alder", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Juniper", "Larch", "Maple", "Oak")
WORDING = {"wording_id": "enrolment-email", "wording_version": 1, "source": "enrolment"}


@dataclass
class Members:
    """Who has joined so far. Enrolling again gives the same member."""

    client: httpx.AsyncClient
    headers: Mapping[str, str]
    by_household: dict[int, UUID] = field(default_factory=dict[int, UUID])

    async def enrol(self, household: int) -> None:
        """Enrol one household with its card."""
        answer = await tills.post_patiently(
            self.client, "/v1/members", body(household), headers=self.headers
        )
        self.by_household[household] = UUID(answer.json()["member_id"])


def agreed(household: int) -> bool:
    """Whether a household agreed to e-mails: about four in five, always the same ones."""
    return _draw("consent", household).random() < AGREED_SHARE


def email(household: int) -> str:
    """Return a made-up address; `.test` can never be anyone's."""
    return f"household-{household}@example.test"


def may_be_mailed(address: str) -> bool:
    """Whether mail to an address is right; addresses that are not the demo's are not our matter."""
    found = re.fullmatch(r"household-(\d+)@example\.test", address)
    return found is None or agreed(int(found[1]))


def name(household: int) -> str:
    """Return a made-up name."""
    draw = _draw("name", household)
    return f"{draw.choice(_FIRST)} {draw.choice(_LAST)}"


def body(household: int) -> dict[str, Any]:
    """Return the enrolment as the API takes it."""
    consent = {"purpose": "marketing", "channel": "email", **WORDING}
    return {
        "external_id": f"household-{household}",
        "identifiers": [{"kind": "card", "value": plan.card(household)}],
        "name": name(household),
        "email": email(household),
        "locale": "en-US",
        "time_zone": data.ZONE.key,
        "consents": [consent] if agreed(household) else [],
    }


def _draw(*of: object) -> Random:
    return Random(":".join(str(part) for part in (data.SEED, *of)))
