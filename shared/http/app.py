"""``create_api``: a service's routes with everything around them that is not its business."""

import importlib.metadata
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi import Request as HTTPRequest
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from shared import telemetry
from shared.auth import Keyring
from shared.auth.failures import Failures
from shared.auth.guard import is_guarded
from shared.auth.rates import Rates
from shared.db import Database, migrate
from shared.errors import PerennialError
from shared.http import deadletters, health, idempotency, problem
from shared.http.health import Check, Readiness
from shared.http.middleware import Direct, Limits, RouteLimits, guard
from shared.http.raw import RawRoute
from shared.service import Context, Routes, Service

DEADLINE_EXTENSION = "x-deadline-s"
"""``openapi_extra={DEADLINE_EXTENSION: 60}`` gives a route longer than ``Limits.deadline_s``."""
UPLOAD_DEADLINE_S = 60.0
"""From the end of the body, for routes that take large ones and do not say otherwise."""

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457); `code` is stable.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_PROBLEM_CONTENT = {problem.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; nothing was written.", "content": _PROBLEM_CONTENT},
    "5XX": {"description": "Not done; 503 says when to try again.", "content": _PROBLEM_CONTENT},
}


def create_api(service: Service, context: Context, *, limits: Limits | None = None) -> FastAPI:
    """Return the service's HTTP application.

    Raises ``RuntimeError`` if a route neither requires a role nor is marked ``auth.public``.
    A route takes larger bodies by ``max_body_size=`` and longer by ``DEADLINE_EXTENSION``.
    """
    routes = service.routes()
    app = _application(service, routes)
    app.state.context = context
    settings = context.settings
    app.state.keyring = Keyring(
        context.db,
        follows="credentials" in service.handlers,
        stale_s=settings.credentials_stale_s,
    )
    app.state.rates = Rates(settings)
    app.state.auth_failures = Failures()
    if settings.environment == "production":
        app.openapi_url = app.docs_url = app.redoc_url = None
    readiness = Readiness(_database_check(service, context.db))
    app.router.routes.extend(health.routes(readiness, service.name))
    limits = limits or Limits(in_flight_max=context.settings.requests_max)
    guard(app, limits, _route_limits(routes), _direct(routes))
    telemetry.instrument(app)
    return app


def openapi(service: Service) -> dict[str, Any]:
    """Return the service's OpenAPI document; needs no database."""
    return _application(service, service.routes()).openapi()


def _application(service: Service, routes: Routes) -> FastAPI:
    routers = (*routes.routers, deadletters.routes(service))
    app = FastAPI(
        title=f"Perennial {service.name}",
        version=importlib.metadata.version("perennial"),
        responses=_RESPONSES,
        generate_unique_id_function=_operation_id,
        # Old tills send JSON and say nothing of its type.
        strict_content_type=False,
        redoc_url=None,
        # Ours is shared.telemetry; FastAPI would look for another with every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={
            PerennialError: _answer,
            RequestValidationError: _answer,
            StarletteHTTPException: _answer,
            405: _method_not_allowed(tuple(_api_routes(routers))),
        },
    )
    for router in routers:
        _check_access(router)
        app.include_router(router)
    _complete_document(app)
    return app


def _database_check(service: Service, db: Database) -> Check:
    """Return the check of an API: its own Postgres, at the schema that the code expects.

    Kafka is not asked on purpose: without it the outbox grows, and tills notice nothing.
    """
    expected = migrate.head(service.migrations)

    async def check() -> str | None:
        await db.ping()
        found = await migrate.current(db)
        return None if found == expected else f"schema is at {found}, not at {expected}"

    return check


@problem.from_error.register
def _from_validation(error: RequestValidationError) -> problem.Problem:
    return problem.from_fields(cast("Iterable[Mapping[str, Any]]", error.errors()))


async def _answer(_request: HTTPRequest, error: Exception) -> Response:
    return problem.from_error(error).response()


def _method_not_allowed(
    routes: Sequence[APIRoute],
) -> Callable[[HTTPRequest, Exception], Coroutine[Any, Any, Response]]:
    """Return the handler of 405: Starlette's ``Allow`` has the methods of one route of a path."""

    async def answer(request: HTTPRequest, error: Exception) -> Response:
        matching = [one for one in routes if one.path_regex.match(request.scope["path"])]
        allowed = {method for one in matching for method in one.methods or ()}
        if allowed:
            error = StarletteHTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        return await _answer(request, error)

    return answer


def _operation_id(route: APIRoute) -> str:
    """Name operations by their functions, which is what a generated client calls its methods."""
    return route.name


def _api_routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def _check_access(router: APIRouter) -> None:
    """Deny by default: a route that forgot to say who may call it does not start."""
    for route in _api_routes([router]):
        if not any(is_guarded(each.call) for each in _flatten(route.dependant)):
            message = f"{route.path} neither requires a role nor is public: see shared.auth"
            raise RuntimeError(message)


def _flatten(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _flatten(each)


def _route_limits(routes: Routes) -> tuple[RouteLimits, ...]:
    """Gather what routes declare: ``Routes.streamed``, ``max_body_size``, the extension."""
    found = [
        RouteLimits(re.compile(rf"{re.escape(path)}\Z"), most_bytes, UPLOAD_DEADLINE_S)
        for path, most_bytes in routes.streamed.items()
    ]
    for route in _api_routes(routes.routers):
        deadline_s = (route.openapi_extra or {}).get(DEADLINE_EXTENSION)
        if route.max_body_size is not None and deadline_s is None:
            deadline_s = UPLOAD_DEADLINE_S
        if deadline_s is not None:
            found.append(RouteLimits(route.path_regex, route.max_body_size, deadline_s))
    return tuple(found)


def _direct(routes: Routes) -> Direct:
    """Gather the routes that the guard may call by itself: it answers their errors alike."""
    exact: dict[tuple[str, str], ASGIApp] = {}
    patterns: list[tuple[str, re.Pattern[str], ASGIApp]] = []
    for route in _api_routes(routes.routers):
        if not isinstance(route, RawRoute):
            continue
        for method in route.methods or ():
            if route.param_convertors:
                patterns.append((method, route.path_regex, route.direct()))
            else:
                exact[method, route.path] = route.direct()
    return Direct(exact, patterns)


def _complete_document(app: FastAPI) -> None:
    """Say in the OpenAPI document what the routes' signatures do not."""
    generate = app.openapi

    def completed() -> dict[str, Any]:
        document = generate()
        components = cast("dict[str, Any]", document.setdefault("components", {}))
        components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
        paths = cast("dict[str, dict[str, dict[str, Any]]]", document.get("paths", {}))
        for operation in (one for path in paths.values() for one in path.values()):
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == idempotency.HEADER:
                    # Optional in the signature, so that its absence has an answer of its own.
                    parameter |= {"required": True, "schema": idempotency.SCHEMA}
        return document

    app.openapi = completed
