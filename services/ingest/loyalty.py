"""Loyalty's HTTP API, as far as ingest calls it: to enrol who signed up by a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from shared.http.peer import Peer


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The member who has that external id."""

    member_id: UUID


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody else has one of the identifiers."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Loyalty will never take it; ``code`` says why."""

    code: str


Answer = Enrolled | Taken | Impossible


class _Member(BaseModel):
    member_id: UUID


class _Problem(BaseModel):
    code: str = "unknown"
    fields: tuple[str, ...] = ()


class Loyalty:
    """Calls loyalty. Every method raises ``Unavailable`` when it does not answer in time."""

    def __init__(self, peer: Peer, key: SecretStr | None) -> None:
        """Ask ``peer``; without a key its answer is that we may not."""
        self._peer = peer
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}

    async def enrol(self, member: Mapping[str, Any]) -> Answer:
        """Enrol; ``member`` has an ``external_id``, so the same again finds the same member."""
        response = await self._peer.ask("POST", "/v1/members", headers=self._headers, json=member)
        if response.status_code in {200, 201}:
            return self._member(response)
        problem = _problem(response)
        if response.status_code == 409 and "external_id" in problem.fields:
            # Ours, enrolled before the members' API learned a field: the body reads differently.
            return await self._find(str(member["external_id"]))
        if response.status_code == 409:
            return Taken()
        if response.status_code in {400, 422}:
            return Impossible(problem.code)
        raise self._peer.unavailable()

    async def _find(self, external_id: str) -> Answer:
        query = {"external_id": external_id}
        response = await self._peer.ask(
            "GET", "/v1/members:lookup", headers=self._headers, params=query
        )
        if response.status_code == 200:
            return self._member(response)
        raise self._peer.unavailable()

    def _member(self, response: httpx.Response) -> Enrolled:
        try:
            return Enrolled(_Member.model_validate_json(response.content).member_id)
        except ValidationError as error:
            raise self._peer.unavailable() from error


def _problem(response: httpx.Response) -> _Problem:
    try:
        return _Problem.model_validate_json(response.content)
    except ValidationError:
        return _Problem()
