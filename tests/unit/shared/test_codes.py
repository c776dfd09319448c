"""Every code that the source can answer with is in a catalogue."""

import ast
from collections.abc import Iterator
from pathlib import Path

from shared.contracts.problems import CODES, catalogue
from shared.http import problem

ROOT = Path(__file__).parents[3]
RAISED = {"Refused", "Malformed", "Unavailable", "Problem", "unavailable", "__init__"} | {
    "Hindrance"  # what keeps a reward from a member, and would refuse a hold of it
}


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _codes(tree: ast.AST) -> Iterator[str]:
    """Find codes as the first text of an error, or assigned to a name ``code``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, args=[*given]) if _name(func) in RAISED:
                yield from [code for each in given if (code := _text(each))][:1]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for name, value in zip(names, values, strict=True):
                    if _name(name) == "code" and (code := _text(value)):
                        yield code
            case ast.Assign(targets=[ast.Name(id="code")], value=value) if code := _text(value):
                yield code
            case _:
                pass


def codes_in(folder: str) -> set[str]:
    """Return the codes that the sources below ``folder`` use."""
    return {
        code
        for path in (ROOT / folder).rglob("*.py")
        for code in _codes(ast.parse(path.read_text()))
    }


MADE_UP = {f"{what}_conflict" for what in ("purchase", "return", "void", "amendment")}
"""Put together from parts, where the search does not see them."""


def test_every_code_in_the_source_is_in_the_catalogue() -> None:
    assert (codes_in("shared") | codes_in("services")) - CODES.keys() == set()


def test_every_code_in_the_catalogue_is_used() -> None:
    used = codes_in("shared") | codes_in("services") | set(problem._HTTP_CODES.values())
    assert CODES.keys() - used == MADE_UP


def test_the_documentation_is_the_catalogue() -> None:
    written = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    assert written == catalogue(), "python -m shared.contracts.problems > docs/problems.md"
