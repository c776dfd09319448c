"""Hosted pages as a browser without scripts sees them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class Page(HTMLParser):
    """One parsed page: its controls with what they are called, and its words."""

    html: str
    language: str = ""
    controls: dict[str, dict[str, str]] = field(default_factory=dict)
    """Attributes by name; of several with one name the checked one, else the last."""
    labels: dict[str, str] = field(default_factory=dict)
    """Label text by the id of the control."""
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._label: str | None = None
        self._textarea: str | None = None
        self._silent = False
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[one] for one in ("href", "src", "action") if one in given]
        self.language = given.get("lang", self.language)
        self._silent = tag == "style"
        if tag in {"input", "textarea", "select"}:
            if "checked" not in self.controls.get(given["name"], {}):
                self.controls[given["name"]] = given
            self._textarea = given["name"] if tag == "textarea" else None
            if tag == "textarea":
                given["value"] = ""
        if tag == "label":
            self._label = given["for"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._label = None
        if tag == "textarea":
            self._textarea = None
        self._silent = False

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self.controls[self._textarea]["value"] += data.removeprefix("\n")
        if self._label is not None:
            self.labels[self._label] = (self.labels.get(self._label, "") + data).strip()
        if not self._silent:
            self.words += data

    def filled(self, **answers: str) -> dict[str, str]:
        """Return what a browser would send after ``answers`` were typed (``c_…`` ticks a box)."""
        sent = {
            name: given.get("value", "")
            for name, given in self.controls.items()
            if given.get("type") not in {"checkbox", "radio"} or "checked" in given
        }
        for name, value in answers.items():
            key = "c." + name[2:].replace("_", ".") if name.startswith("c_") else f"a.{name}"
            sent[key] = value
        return sent


async def visit(
    client: httpx.AsyncClient, path: str = "/f/autumn", *, languages: str = "en"
) -> Page:
    """Open a hosted form."""
    answer = await client.get(path, headers={"Accept-Language": languages})
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def post(
    client: httpx.AsyncClient, sent: dict[str, str], *, path: str = "/f/autumn"
) -> httpx.Response:
    """Send a hosted form, and stay with the first answer."""
    return await client.post(path, data=sent, follow_redirects=False)
