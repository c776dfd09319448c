"""What came of the day, for people and for programs."""

import json
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perennial_client.check.kit import Finding, Rule

BEGIN, END = "<!-- rules: written by `make guide` -->", "<!-- end of rules -->"
_MARKS = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "skip": "[yellow]–[/]"}


def show(console: Console, finding: Finding) -> None:
    """Print one line, and for a failure the request that showed it."""
    one = finding.rule
    console.print(f" {_MARKS[finding.outcome]} [bold]{one.id:<28}[/] {escape(one.sentence)}")
    if finding.why is None:
        return
    console.print(f"   {escape(finding.why)}", style="dim" if finding.outcome == "skip" else "red")
    if finding.exchange is not None:
        for line in (finding.exchange.curl(), f"→ {finding.exchange.told()}"):
            console.print(f"   {line}", markup=False, highlight=False, soft_wrap=True)


def summary(console: Console, findings: Sequence[Finding]) -> None:
    """Print how many rules of each group hold."""
    table = Table("", "kept", "broken", "not tried", title="Summary", title_justify="left")
    groups = dict.fromkeys(one.rule.group for one in findings)
    for group in groups:
        found = Counter(one.outcome for one in findings if one.rule.group == group)
        table.add_row(group, *_counts(found))
    table.add_section()
    table.add_row("all", *_counts(Counter(one.outcome for one in findings)), style="bold")
    console.print(table)


def as_json(findings: Sequence[Finding], about: dict[str, str]) -> str:
    """Return the findings as a JSON document."""
    rules = [
        {
            "id": one.rule.id,
            "rule": one.rule.sentence,
            "outcome": one.outcome,
            "seconds": round(one.seconds, 3),
            "why": one.why,
            "request": one.exchange.curl() if one.exchange else None,
            "answer": one.exchange.told() if one.exchange else None,
        }
        for one in findings
    ]
    return json.dumps({**about, "rules": rules}, indent=2)


def put_into(document: str, rules: Sequence[Rule]) -> str:
    """Return a Markdown document with the rules between its marks; ``ValueError`` without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{_as_markdown(rules)}\n{END}{after}"


def _as_markdown(rules: Sequence[Rule]) -> str:
    text = ""
    for group in dict.fromkeys(one.group for one in rules):
        text += f"| {group} | what a till may rely on |\n| --- | --- |\n"
        for one in rules:
            if one.group == group:
                text += f"| `{one.id}` | {one.sentence} |\n"
        text += "\n"
    return text.rstrip("\n") + "\n"


def _counts(found: "Counter[str]") -> list[str]:
    return [str(found[outcome] or "") for outcome in ("pass", "fail", "skip")]
