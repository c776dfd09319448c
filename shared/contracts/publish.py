"""Write the contracts down for readers outside this code base, or check that they are current.

``docs/events`` holds one JSON Schema per event type and one AsyncAPI 3.0 document of the topics.
``docs/events/released/<version>`` keeps the schemas of every release; the contract tests compare
with them what the code says now, because events of that release are still in topics and archives.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic.json_schema import GenerateJsonSchema

from shared.contracts.asyncapi import document
from shared.contracts.envelope import Event
from shared.contracts.topics import TOPICS, type_name

DOCS = Path(__file__).parents[2] / "docs" / "events"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ALWAYS_WRITTEN = ("specversion", "id", "source", "type", "time", "data")
"""Envelope fields that every writer fills; some have defaults in our models, none on the wire."""


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of field names; they say nothing new."""

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar(  # pyright: ignore[reportUnknownMemberType]  typed by halves
        "tag:yaml.org,2002:str", text, style=style
    )


_Readable.add_representer(str, _block)


def schema(event: type[Event]) -> dict[str, object]:
    """Return the JSON Schema (2020-12) of what a reader of this event type must accept."""
    generated = event.model_json_schema(mode="validation", schema_generator=_Untitled)
    return {
        "$schema": DIALECT,
        "$id": f"urn:perennial:schema:{type_name(event)}",
        **generated,
        "required": list(ALWAYS_WRITTEN),
    }


def schemas() -> dict[str, dict[str, object]]:
    """Return the schema of each event type of each topic, by type."""
    return {type_name(event): schema(event) for topic in TOPICS.values() for event in topic.types}


def files() -> dict[Path, str]:
    """Return every file of ``docs/events`` that this module owns, with its text."""
    texts = {DOCS / f"{name}.json": _json(each) for name, each in schemas().items()}
    texts[DOCS / "asyncapi.yaml"] = yaml.dump(
        document(TOPICS), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=100
    )
    return texts


def stale(expected: Mapping[Path, str]) -> list[Path]:
    """Return the files that are missing, differ, or belong to no event type any more."""
    differing = [
        path
        for path, text in expected.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return differing + [path for path in sorted(DOCS.glob("*.json")) if path not in expected]


def write(expected: Mapping[Path, str]) -> None:
    """Write every file, and remove those of types that are gone."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for path in stale(expected):
        if path not in expected:
            path.unlink()
    for path, text in expected.items():
        path.write_text(text, encoding="utf-8")


def release(version: str) -> None:
    """Keep today's schemas as those of a release; they are never changed afterwards."""
    folder = DOCS / "released" / version
    folder.mkdir(parents=True)
    for name, each in schemas().items():
        (folder / f"{name}.json").write_text(_json(each), encoding="utf-8")


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m shared.contracts.publish", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if stale")
    parser.add_argument("--release", metavar="VERSION", help="also keep the schemas under VERSION")
    options = parser.parse_args()
    expected = files()
    if options.check:
        outdated = stale(expected)
        for path in outdated:
            sys.stderr.write(f"{path.relative_to(Path.cwd())} is stale: run 'make events'\n")
        return 1 if outdated else 0
    write(expected)
    if options.release:
        release(options.release)
    return 0


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
