"""Templates that marketers write: checked and compiled when saved, rendered in a sandbox.

Three fences. What may be *written* is a short list of Jinja constructs, so that every template
ends quickly by construction: loops only over what it is given, two deep, no arithmetic, no
assignments, no calls. What may be *reached* is what Jinja's immutable sandbox allows. What may
come *out* is cut by size and time. Layout is MJML, compiled once when saved.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import mjml
from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

SOURCE_MAX_CHARS = 64 * 1024
SUBJECT_MAX_CHARS = 200
OUTPUT_MAX_CHARS = 256 * 1024
ITEMS_MAX = 50
"""Longest list that a template is given."""
LOOPS_MAX = 10
LOOP_DEPTH_MAX = 2
RENDER_LIMIT_S = 0.25

_FILTERS = frozenset({"capitalize", "default", "e", "escape", "length", "lower", "title", "upper"})
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Const,
    nodes.Filter, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not,
)  # fmt: skip


class UnfitTemplate(ValueError):
    """A template that can not be used; ``part`` says which of its texts."""

    def __init__(self, part: str, message: str) -> None:
        """Keep what to tell the author."""
        super().__init__(message)
        self.part = part
        self.message = message


@dataclass(frozen=True, slots=True)
class Source:
    """What the author wrote."""

    subject: str
    mjml: str
    text: str
    inbox_title: str
    inbox_text: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """The same with its layout compiled; what is stored and rendered."""

    subject: str
    html: str
    text: str
    inbox_title: str
    inbox_text: str


def _environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=autoescape, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.tests.clear()
    allowed = {name: call for name, call in environment.filters.items() if name in _FILTERS}
    environment.filters.clear()
    environment.filters.update(allowed)
    return environment


_HTML = _environment(autoescape=True)
_PLAIN = _environment(autoescape=False)


def compile_source(source: Source) -> Compiled:
    """Check every part and compile the layout; raises ``UnfitTemplate``."""
    for part, text in vars_of(source).items():
        if len(text) > SOURCE_MAX_CHARS:
            raise UnfitTemplate(part, f"longer than {SOURCE_MAX_CHARS} characters")
    if _LINE_BREAKS.search(source.subject):
        raise UnfitTemplate("subject", "must be one line without control characters")
    try:
        # Without a loader mj-include fails: no template reads a file.
        html = mjml.mjml2html(source.mjml, disable_comments=False, fonts={})
    except ValueError as error:
        raise UnfitTemplate("mjml", str(error)[:300]) from error
    if "unsubscribe_url" not in source.mjml or "unsubscribe_url" not in source.text:
        raise UnfitTemplate("mjml", "mjml and text must both show {{ unsubscribe_url }}")
    compiled = Compiled(source.subject, html, source.text, source.inbox_title, source.inbox_text)
    for part, text in vars_of(compiled).items():
        _check(part, text)
    return compiled


def vars_of(texts: Source | Compiled) -> dict[str, str]:
    """Return the parts by name."""
    return {name: getattr(texts, name) for name in texts.__slots__}


def _check(part: str, text: str) -> None:
    try:
        tree = _HTML.parse(text)
    except (TemplateError, RecursionError) as error:
        raise UnfitTemplate(part, str(error)[:300]) from error
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED):
            raise UnfitTemplate(part, f"{type(node).__name__} is not allowed in templates")
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise UnfitTemplate(part, f"{node.attr} can not be read")
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise UnfitTemplate(part, f"there is no filter {node.name}")
        if isinstance(node, nodes.For):
            _check_loop(part, node)
    loops = list(tree.find_all(nodes.For))
    if len(loops) > LOOPS_MAX or _depth(tree) > LOOP_DEPTH_MAX:
        raise UnfitTemplate(part, f"at most {LOOPS_MAX} loops, {LOOP_DEPTH_MAX} deep")


def _check_loop(part: str, loop: nodes.For) -> None:
    if not isinstance(loop.iter, nodes.Name | nodes.Getattr) or loop.recursive:
        raise UnfitTemplate(part, "a loop goes over a list that the template is given")


def _walk(node: nodes.Node) -> "list[nodes.Node]":
    try:
        found = [node]
        for child in node.iter_child_nodes():
            found.extend(_walk(child))
    except RecursionError as error:
        raise UnfitTemplate("template", "nested too deeply") from error
    return found


def _depth(node: nodes.Node) -> int:
    below = max((_depth(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.For)


def render_mail(compiled: Compiled, values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return subject, HTML and text; raises ``UnfitTemplate``."""
    subject = one_line(_render("subject", _PLAIN, compiled.subject, values))
    html = _render("html", _HTML, compiled.html, values)
    return subject, html, _render("text", _PLAIN, compiled.text, values)


def render_inbox(compiled: Compiled, values: Mapping[str, Any]) -> tuple[str, str]:
    """Return title and text, both plain; raises ``UnfitTemplate``."""
    title = one_line(_render("inbox_title", _PLAIN, compiled.inbox_title, values))
    return title, _render("inbox_text", _PLAIN, compiled.inbox_text, values).strip()


def one_line(text: str) -> str:
    """Return ``text`` without line breaks and control characters, cut to a subject's length.

    A value may hold CR and LF; in a header they would begin another header.
    """
    return " ".join(_LINE_BREAKS.sub(" ", text).split())[:SUBJECT_MAX_CHARS]


def _render(
    part: str, environment: ImmutableSandboxedEnvironment, text: str, values: Mapping[str, Any]
) -> str:
    pieces: list[str] = []
    size, deadline = 0, monotonic() + RENDER_LIMIT_S
    try:
        for piece in _loaded(environment, text)(dict(values)):
            pieces.append(piece)
            size += len(piece)
            if size > OUTPUT_MAX_CHARS:
                raise UnfitTemplate(part, f"gives more than {OUTPUT_MAX_CHARS} characters")
            if monotonic() > deadline:
                raise UnfitTemplate(part, f"takes longer than {RENDER_LIMIT_S} s")
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UnfitTemplate):
            raise
        raise UnfitTemplate(part, str(error)[:300]) from error
    return "".join(pieces)


_CACHE: dict[tuple[bool, str], Callable[..., Any]] = {}
_CACHE_MAX = 200


def _loaded(environment: ImmutableSandboxedEnvironment, text: str) -> Callable[..., Any]:
    """Return the template's generator; compiling costs a hundred times what rendering does."""
    key = (environment is _HTML, text)
    if key not in _CACHE:
        if len(_CACHE) >= _CACHE_MAX:
            _CACHE.clear()
        _CACHE[key] = environment.from_string(text).generate
    return _CACHE[key]
