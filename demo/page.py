"""One page at the end: what happened, for whom, and whether the books are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from demo import members, plan
from demo.audit import Finding
from demo.showcase import Person, Quoted
from demo.tills import Record
from demo.totals import Totals

OFFERS_SHOWN = 3
LINES_SHOWN = 3
ENTRY_LINES_SHOWN = 1


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    wanted: plan.Plan
    record: Record
    seconds: float
    totals: Totals
    people: Sequence[Person]
    quoted: Quoted | None
    findings: Sequence[Finding]


def show(console: Console, report: Report) -> None:
    """Print the page."""
    console.rule("[bold]Perennial: what just happened")
    console.print(_flow(report))
    for person in report.people:
        console.print(_person(person))
    if report.quoted is not None:
        console.print(_quote(report.quoted))
    console.print(_audit(report.findings))


def money(minor: int) -> str:
    """Return cents as dollars."""
    sign = "-" if minor < 0 else ""
    return f"{sign}${abs(minor) // 100:,}.{abs(minor) % 100:02d}"


def _flow(report: Report) -> Table:
    counts, totals = report.record.counts, report.totals
    attempts = counts["accepted"] + counts["replayed"] + counts["lost"]
    rate = len(report.record.accepted) / max(report.seconds, 0.001)
    table = _table()
    table.add_row(
        "tills",
        f"{attempts:,} calls for {report.wanted.receipts:,} receipts and {report.wanted.returns:,}"
        f" returns (the demo's own) in {report.seconds:.0f} s, {rate:,.0f}/s",
    )
    table.add_row(
        "answers",
        f"{counts['accepted']:,} accepted · {counts['replayed']:,} replayed (same answer again)"
        f" · {counts['lost']:,} lost on the way and asked again"
        f" · {counts['uploaded']:,} from tills that had been offline",
    )
    table.add_row(
        "members",
        f"{len(report.wanted.members):,} from the start · {totals.attributed:,} receipts waited for"
        " a card to be enrolled and were attributed",
    )
    tiers = " · ".join(f"{tier} {count:,}" for tier, count in totals.tiers.items())
    table.add_row("points", f"{totals.points:,} in {totals.entries:,} entries · tiers: {tiers}")
    mail = f"\n[dim]{totals.mails[-1]}[/dim]" if totals.mails else ""
    table.add_row("offers", f"{totals.offers:,} issued, each with its reason")
    table.add_row("mails", f"{len(totals.mails):,} caught, to members who agreed to them{mail}")
    return table


def _person(person: Person) -> Panel:
    balance = person.balance
    tier: Mapping[str, Any] = balance["tier"] or {}
    table = _table()
    table.add_row("balance", f"{balance['available']:,} points, {_tier(tier)}")
    if person.top_entry is not None:
        explained = escape(_explained(person.top_entry["explain"]))
        table.add_row("top entry", f"{person.top_entry['points']:+,}: {explained}")
    for offer in person.offers[:OFFERS_SHOWN]:
        table.add_row("offer", f"{escape(offer['title'])} [dim]· {escape(offer['reason'])}[/dim]")
    name = members.name(person.household)
    return Panel(table, title=f"{name}, household {person.household}: {person.title}", expand=True)


def _tier(tier: Mapping[str, Any]) -> str:
    return f"tier {tier.get('name') or 'none yet'}"


def _explained(explain: Mapping[str, Any]) -> str:
    best = sorted(explain["lines"], key=lambda line: -line["points"])[:ENTRY_LINES_SHOWN]
    return "\n".join([explain["words"], *(f"  {line['words']}" for line in best)])


def _quote(quoted: Quoted) -> Panel:
    quote = quoted.quote
    table = _table()
    described = {line.line_no: line for line in quoted.basket.lines}
    cheaper = [line for line in quote["lines"] if line["discount_minor"]]
    for line in cheaper[:LINES_SHOWN]:
        sold = described[line["line_no"]]
        table.add_row(
            "line",
            f"{escape(sold.description or sold.sku)}: {money(line['amount_minor'])}"
            f" → {money(line['net_amount_minor'])}",
        )
    for one in quote["considered"]:
        if one["outcome"] != "applied":
            table.add_row("not used", f"{one['outcome']}: {escape(one['reason'])}")
    table.add_row(
        "total",
        f"{money(quote['subtotal_minor'])} - {money(quote['discount_minor'])}"
        f" = [bold]{money(quote['total_minor'])}[/bold] for {len(quote['lines'])} lines",
    )
    title = f"Quote: the basket of {quoted.basket.occurred_at:%A %d %B}, if it came again today"
    return Panel(table, title=title, expand=True)


def _audit(findings: Sequence[Finding]) -> RenderableType:
    table = Table(expand=True, title="Audit: the driver's log against Postgres, by plain SQL")
    table.add_column("claim", ratio=1)
    table.add_column("to be", justify="right")
    table.add_column("is", justify="right")
    table.add_column("")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.holds else "[bold red]WRONG[/bold red]"
        table.add_row(escape(finding.claim), f"{finding.expected:,}", f"{finding.found:,}", mark)
    wrong = sum(not finding.holds for finding in findings)
    verdict = (
        f"[bold red]{wrong} of {len(findings)} claims are false[/bold red]"
        if wrong
        else f"[bold green]All {len(findings)} claims hold.[/bold green]"
    )
    return Group(table, verdict)


def _table() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(ratio=1)
    return table
