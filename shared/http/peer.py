"""Another service, asked over HTTP: only where a person or a till waits for the answer."""

from collections.abc import AsyncIterator

import httpx
from fastapi import Request, Response

from shared.errors import Unavailable

CONNECT_S = 2.0
ANSWER_S = 4.0
"""For a question; less than the five seconds that its own asker waits."""
UPLOAD_ANSWER_S = 50.0
"""From one part of an upload to the next, or to the answer."""

_PASSED_ON = ("authorization", "content-type")
_PASSED_BACK = ("content-type", "retry-after")


class Peer:
    """One other service; connections are opened when they are first needed."""

    def __init__(self, name: str, url: str) -> None:
        """``url`` is the base of its routes, such as ``http://127.0.0.1:8002``."""
        self.name = name
        self._client = httpx.AsyncClient(base_url=url, trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def forward(self, request: Request) -> Response:
        """Hand a request on as it is, its body as a stream, and its answer back.

        The caller's own key goes with it, so the other service decides whether they may.
        Raises ``Unavailable`` where that does not answer in time.
        """
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        upload = request.method == "POST"
        answer_s = UPLOAD_ANSWER_S if upload else ANSWER_S
        try:
            answer = await self._client.request(
                request.method,
                request.url.path,
                params=request.url.query,
                headers=headers,
                content=_body(request) if upload else None,
                timeout=httpx.Timeout(answer_s, connect=CONNECT_S),
            )
        except httpx.TransportError as error:
            detail = f"{self.name} does not answer; try again."
            raise Unavailable("peer_unavailable", detail) from error
        passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, passed)


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part
