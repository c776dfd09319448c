"""How a route gets at what its service is made of."""

from typing import Any

from starlette.requests import Request


def get_context(request: Request) -> Any:  # noqa: ANN401  each service has its own subclass
    """Return the service's context.

    A service wraps it once, for its own type: ``async def context(request: Request) -> MyContext``
    (async, because FastAPI runs a plain function in a thread, which costs more than most routes).
    """
    return request.app.state.context
