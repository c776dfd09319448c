"""What a route that parses from the bytes may take."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.http.raw import RawRoute


class Body(BaseModel):
    """Anything."""


async def _of_the_query(q: str) -> str:
    return q


async def _of_the_request(request: Request) -> str:
    return request.url.path


async def _body_and_query(body: Body, q: str) -> Response:
    return Response(f"{body}{q}")


async def _odd_dependency(body: Body, q: Annotated[str, Depends(_of_the_query)]) -> Response:
    return Response(f"{body}{q}")


async def _no_body(path: Annotated[str, Depends(_of_the_request)]) -> Response:
    return Response(path)


@pytest.mark.parametrize("endpoint", [_body_and_query, _odd_dependency, _no_body])
def test_route_with_what_would_not_be_filled_in_does_not_start(endpoint: object) -> None:
    router = APIRouter(route_class=RawRoute)
    with pytest.raises(RuntimeError, match="RawRoute"):
        router.post("/")(endpoint)  # pyright: ignore[reportArgumentType]  they differ on purpose


async def _short(body: Body, code: Annotated[str, Path(max_length=3)]) -> Response:
    return Response(f"{body}{code}")


async def test_what_a_path_may_be_is_kept_as_by_any_other_route() -> None:
    refused: list[object] = []
    for kind in (RawRoute, APIRoute):
        app = FastAPI()
        router = APIRouter(route_class=kind)
        router.post("/{code}")(_short)
        app.include_router(router)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            assert (await client.post("/abc", json={})).status_code == 200
            answer = await client.post("/abcd", json={})
        assert answer.status_code == 422
        refused.append([(one["type"], one["loc"], one["msg"]) for one in answer.json()["detail"]])

    assert refused[0] == refused[1]
