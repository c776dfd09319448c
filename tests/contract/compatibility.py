"""The compatibility gate: readers of one schema accept all that writers of another say.

A writer says only what its schema names, so it is compared *closed*; a reader ignores what it
does not know, so it is compared *open*. Closed writer within open reader lets an optional field
be added and stops what breaks: a new required field, another type, a wider enum, a dropped
required field. Comparing the schemas as they are would forbid the added field, because an open
writer might have used its name for anything.
"""

from collections.abc import Mapping
from typing import Any, cast

from jsonsubschema import isSubschema

WORDS = {"$id", "$schema", "default", "description", "examples", "title"}
LEFT_OUT = WORDS | {"$defs", "format", "properties"}
Schema = Mapping[str, Any]


def breaks(writer: Schema, reader: Schema) -> bool:
    """Whether some event that ``writer`` allows would be refused or misread by ``reader``."""
    return not isSubschema(_plain(writer, closed=True), _plain(reader, closed=False))


def _plain(schema: Schema, *, closed: bool) -> dict[str, Any]:
    """Spell the schema out for the library: references followed, words left out."""
    definitions = cast("dict[str, Schema]", schema.get("$defs", {}))

    def visit(node: Any) -> Any:
        if isinstance(node, list):
            return [visit(each) for each in cast("list[Any]", node)]
        return spelt_out(cast("Schema", node)) if isinstance(node, dict) else node

    def spelt_out(node: Schema) -> Any:
        if "$ref" in node:
            return visit(definitions[node["$ref"].removeprefix("#/$defs/")])
        plain = {name: visit(each) for name, each in node.items() if name not in LEFT_OUT}
        if "properties" in node:
            plain["properties"] = {name: visit(each) for name, each in node["properties"].items()}
            plain["additionalProperties"] = not closed
        if "format" in node:
            plain["pattern"] = _language(node["format"])
        return plain

    return cast("dict[str, Any]", visit(schema))


def _language(name: str) -> str:
    """Return a pattern that stands for a format, which the library would overlook.

    Only the relations matter: a format lies within any string, and within no other format.
    """
    return f"^{name}:.*$"
