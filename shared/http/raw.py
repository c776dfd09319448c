"""Routes for what tills send all day: the body is parsed from its bytes, with little around it.

FastAPI's own handler asks each request about every kind of parameter there can be and parses
through ``json``: twice the cost of the parsing itself. On the way there a request meets a dozen
layers for what such a route can not have. The declaration and the document stay FastAPI's.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send


class RawRoute(APIRoute):
    """A route of one body, of what is in its path, of dependencies, and of the request.

    A dependency takes the request, and headers that may be missing. It answers with a ``Response``.
    Another kind of parameter ends the start with ``RuntimeError``; a dependency given to
    ``include_router`` would not be seen, so declare it on the route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what is called for each request: the extension point FastAPI has for this."""
        dependant = self.dependant
        body_name, model = _body(dependant)
        dependencies = [(each.name, _call(each)) for each in dependant.dependencies]
        endpoint = cast("Callable[..., Coroutine[Any, Any, Response]]", dependant.call)
        request_name = dependant.request_param_name
        in_path = [
            (
                field.name,
                field.alias,
                # With what the parameter says besides its type, such as its length.
                TypeAdapter(
                    cast("type[object]", Annotated[field.field_info.annotation, field.field_info])
                ),
            )
            for field in dependant.path_params
        ]

        async def handle(request: Request) -> Response:
            raw = await request.body()
            values: dict[str, object] = {}
            for name, call in dependencies:
                value = await call(request)
                if name is not None:
                    values[name] = value
            for name, alias, adapter in in_path:
                values[name] = _from_path(request.path_params[alias], alias, adapter)
            values[body_name] = _parse(model, raw)
            if request_name is not None:
                values[request_name] = request
            return await endpoint(**values)

        return handle

    def direct(self) -> ASGIApp:
        """Return the route as an application: its errors are raised, not answered."""
        handle = self.get_route_handler()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["route"] = self
            found = self.path_regex.match(scope["path"])
            scope["path_params"] = found.groupdict() if found else {}
            response = await handle(Request(scope, receive, send))
            await response(scope, receive, send)

        return app


def invalid_body(error: ValidationError) -> RequestValidationError:
    """Return the error that FastAPI would raise for a body that is not acceptable."""
    return _invalid(error, "body")


def _invalid(error: ValidationError, *where: str) -> RequestValidationError:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**one, "loc": (*where, *one["loc"])} for one in errors])


def _parse(model: type[BaseModel], raw: bytes) -> BaseModel:
    if not raw:
        raise RequestValidationError(
            [{"type": "missing", "loc": ("body",), "msg": "Field required"}]
        )
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid_body(error) from None


def _from_path(text: str, alias: str, adapter: TypeAdapter[object]) -> object:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        raise _invalid(error, "path", alias) from None


def _body(dependant: Dependant) -> tuple[str, type[BaseModel]]:
    alone = not dependant.header_params and _takes_nothing_else(dependant)
    if len(dependant.body_params) == 1 and alone:
        (body,) = dependant.body_params
        model = body.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            return body.name, model
    message = f"{dependant.call} is not a RawRoute: it takes more than a body and the request"
    raise RuntimeError(message)


def _call(dependant: Dependant) -> Callable[[Request], Awaitable[object]]:
    alone = not (dependant.dependencies or dependant.body_params or dependant.path_params)
    optional = not any(field.field_info.is_required() for field in dependant.header_params)
    takes_request = dependant.request_param_name is not None
    if alone and optional and takes_request and _takes_nothing_else(dependant):
        call = cast("Callable[..., Awaitable[object]]", dependant.call)
        headers = [(field.name, field.alias) for field in dependant.header_params]
        if not headers:
            return call

        async def with_headers(request: Request) -> object:
            given = {name: request.headers.get(alias) for name, alias in headers}
            return await call(request, **given)

        return with_headers
    message = f"{dependant.call} takes more than the request, which RawRoute can not give"
    raise RuntimeError(message)


def _takes_nothing_else(dependant: Dependant) -> bool:
    return not (
        dependant.query_params
        or dependant.cookie_params
        or dependant.response_param_name
        or dependant.background_tasks_param_name
    )
