"""Every code that the source can answer with is in a catalogue."""

import ast
from collections.abc import Iterator
from pathlib import Path

from shared.http import problem
from shared.http.codes import CODES

ROOT = Path(__file__).parents[3]
RAISED = {"Refused", "Malformed", "Unavailable", "Problem", "unavailable"}


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


def test_every_code_of_the_plumbing_is_in_the_catalogue():
    assert codes_in("shared") - CODES.keys() == set()


def test_every_code_in_the_catalogue_is_used():
    used = codes_in("shared") | set(problem._HTTP_CODES.values())
    assert CODES.keys() - used == {"headers_too_large"}
