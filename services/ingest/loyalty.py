"""Loyalty's HTTP API, as far as ingest calls it: to enrol who signed up by a form."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from shared.errors import Unavailable

DEADLINE_S = 3.0
"""For one call, from connecting to the last byte of the answer."""


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

    def __init__(self, http: httpx.AsyncClient) -> None:
        """``http`` knows the address and the key."""
        self._http = http

    async def enrol(self, member: Mapping[str, Any]) -> Answer:
        """Enrol; ``member`` has an ``external_id``, so the same again finds the same member."""
        response = await self._call("POST", "/v1/members", json=dict(member))
        if response.status_code in {200, 201}:
            return _member(response)
        problem = _problem(response)
        if response.status_code == 409 and "external_id" in problem.fields:
            # Ours, enrolled before the members' API learned a field: the body reads differently.
            return await self._find(str(member["external_id"]))
        if response.status_code == 409:
            return Taken()
        if response.status_code in {400, 422}:
            return Impossible(problem.code)
        raise _unavailable(f"answered {response.status_code}")

    async def _find(self, external_id: str) -> Answer:
        query = {"external_id": external_id}
        response = await self._call("GET", "/v1/members:lookup", params=query)
        if response.status_code == 200:
            return _member(response)
        raise _unavailable(f"answered {response.status_code}")

    async def _call(self, method: str, path: str, **body: Any) -> httpx.Response:  # noqa: ANN401
        try:
            return await self._http.request(method, path, **body)
        except httpx.TransportError as error:
            raise _unavailable(type(error).__name__) from error


@asynccontextmanager
async def connect(url: str, key: SecretStr | None) -> AsyncGenerator[Loyalty, None]:
    """Open a client; without a key its calls are ``Unavailable``."""
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=DEADLINE_S, trust_env=False
    ) as http:
        yield Loyalty(http)


def _member(response: httpx.Response) -> Enrolled:
    try:
        return Enrolled(_Member.model_validate_json(response.content).member_id)
    except ValidationError as error:
        raise _unavailable("gave an answer that is not a member") from error


def _problem(response: httpx.Response) -> _Problem:
    try:
        return _Problem.model_validate_json(response.content)
    except ValidationError:
        return _Problem()


def _unavailable(what: str) -> Unavailable:
    # Only what kind of failure it was: an address or a body may be personal.
    return Unavailable("loyalty_unavailable", f"Loyalty {what}.")
