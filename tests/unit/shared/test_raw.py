"""What a route that parses from the bytes may take."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Request, Response
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
