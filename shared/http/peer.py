"""Another service, asked over HTTP: only where a person or a till waits for the answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Unavailable

CONNECT_S = 2.0
ANSWER_S = 4.0
"""For a question, to the last byte of its answer; less than the five seconds its asker waits."""
UPLOAD_ANSWER_S = 50.0
"""From one part of an upload to the next, or to the answer."""

_PASSED_ON = ("authorization", "content-type")
_PASSED_BACK = ("content-type", "retry-after")


class Peer:
    """One other service; connections are opened when they are first needed."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        answer_s: float = ANSWER_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``url`` is the base of its routes, such as ``http://127.0.0.1:8002``.

        ``transport`` replaces the network.
        """
        self.name = name
        self._answer_s = answer_s
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, transport=transport)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | str | None = None,
        json: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Return the answer to one question, whatever its status.

        Raises ``Unavailable`` where there is no whole answer within ``answer_s`` seconds, however
        slowly it drips.
        """
        try:
            # httpx's own time-outs begin anew with each byte.
            async with asyncio.timeout(self._answer_s):
                return await self._client.request(
                    method,
                    path,
                    headers=headers,
                    params=params,
                    json=json,
                    timeout=self._answer_s,
                )
        except (httpx.TransportError, TimeoutError) as error:
            raise self.unavailable() from error

    def unavailable(self) -> Unavailable:
        """Return the error for a service that does not answer, or not sensibly."""
        return Unavailable("peer_unavailable", f"{self.name} does not answer; try again.")

    async def forward(self, request: Request) -> Response:
        """Hand a request on as it is, its body as a stream, and its answer back.

        The caller's own key goes with it, so the other service decides whether they may.
        Raises ``Unavailable`` where that does not answer in time.
        """
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        path, query = request.url.path, request.url.query
        if request.method == "POST":
            answer = await self._upload(path, query, headers, _body(request))
        else:
            answer = await self.ask(request.method, path, headers=headers, params=query)
        passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, passed)

    async def _upload(
        self, path: str, query: str, headers: Mapping[str, str], content: AsyncIterator[bytes]
    ) -> httpx.Response:
        # No deadline for the whole: the asker's own says how long a file may take.
        timeout = httpx.Timeout(UPLOAD_ANSWER_S, connect=CONNECT_S)
        try:
            return await self._client.post(
                path, params=query, headers=headers, content=content, timeout=timeout
            )
        except httpx.TransportError as error:
            raise self.unavailable() from error


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part
