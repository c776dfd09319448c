"""The contracts as msgspec structs, where reading or writing them takes much of a process's time.

A basket of ten lines takes pydantic four times as long as msgspec. The structs are made from the
contracts when the process starts, so there is one definition of what an event holds. They have
its attributes, constraints and defaults, and are no instances of its classes; they are built by
keyword, unchecked, and checked when they are read.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from shared.contracts.envelope import Event

C = TypeVar("C", bound=BaseModel)

Reader: TypeAlias = Callable[[bytes], Event]
"""From one record's value to its event; raises ``Unreadable``."""


_AS_THEY_ARE = (str, int, bool, date, None, NoneType)
_OTHERWISE: Mapping[Any, Any] = {
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
    UUID: pgproto.UUID,
}


class Unreadable(ValueError):
    """Bytes that are no event of their topic. The message names fields and types, never values."""


def validating_reader(adapter: TypeAdapter[Event]) -> Reader:
    """Return a reader that makes instances of the contracts."""

    def read(value: bytes) -> Event:
        try:
            return adapter.validate_json(value)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            shown = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems[:5]]
            raise Unreadable("; ".join(shown)) from error

    return read


def fast_reader(events: tuple[type[Event], ...]) -> Reader:
    """Return a reader that makes structs with the attributes of ``events``."""
    # A union made at run time is a type to msgspec, and none to the checker.
    union = cast("type[Event]", Union[tuple(struct(event) for event in events)])  # noqa: UP007
    decode = msgspec.json.Decoder(union, dec_hook=_id).decode

    def read(value: bytes) -> Event:
        try:
            return decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from error

    return read


def _id(_: type[UUID], written: object) -> UUID:
    """Return an id as the database's driver has it: a ``UUID`` that hashes and prints faster."""
    try:
        found = pgproto.UUID(written)
    except (ValueError, TypeError):
        found = None
    # The driver would take hyphens anywhere.
    if found is None or str(found) != str(written).lower():
        message = "Invalid UUID"
        raise ValueError(message)
    return found


encode = msgspec.json.encode
"""Return a struct as JSON bytes."""


def struct(contract: type[C]) -> type[C]:
    """Return the struct of ``contract``; an event's is told apart by its ``type``.

    Raises ``TypeError`` for a field of a kind that no contract has had so far.
    """
    return cast("type[C]", _struct(contract))


@cache
def _struct(contract: type[BaseModel]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    constants: dict[str, Any] = {}
    tag = None
    for name, field in contract.model_fields.items():
        if name == "type" and issubclass(contract, Event):
            tag = constants["type"] = field.default
            continue
        kind = _constrained(field)
        fields.append((name, kind) if field.is_required() else (name, kind, field.default))
    return msgspec.defstruct(
        contract.__name__,
        fields,
        namespace=constants,
        tag=tag,
        tag_field="type" if tag else None,
        frozen=True,
        # Trees of plain values: there are no cycles for the collector to look for.
        gc=False,
        kw_only=True,
    )


def _constrained(field: FieldInfo) -> Any:  # noqa: ANN401  a type, of whatever form
    limits = [one for one in field.metadata if _limits(one)]
    return _type(Annotated[field.annotation, *limits] if limits else field.annotation)


def _type(kind: Any) -> Any:  # noqa: ANN401  a type, of whatever form
    """Return msgspec's form of a contract's annotation."""
    if kind is AwareDatetime or kind is UUID:
        return _OTHERWISE[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _AS_THEY_ARE or origin is Literal:
        return kind
    if origin is None and issubclass(kind, BaseModel):
        return _struct(kind)
    if origin is Annotated:
        limits = {name: limit for one in arguments[1:] for name, limit in _limits(one).items()}
        return Annotated[_type(arguments[0]), msgspec.Meta(**limits)]
    if origin in (Union, UnionType):
        return Union[tuple(_type(one) for one in arguments)]  # noqa: UP007
    if origin is Mapping:
        return dict[_type(arguments[0]), _type(arguments[1])]
    if origin is tuple:
        return tuple[_type(arguments[0]), ...]
    message = f"no struct for a field of {kind}"
    raise TypeError(message)


def _limits(constraint: object) -> dict[str, Any]:
    """Return what a constraint says, in the words that pydantic and msgspec share."""
    if isinstance(constraint, FieldInfo):
        return {name: limit for one in constraint.metadata for name, limit in _limits(one).items()}
    names = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
    return {name: limit for name in names if (limit := getattr(constraint, name, None)) is not None}
