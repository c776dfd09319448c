"""The templates that come with notify, and the sample values every template is tried with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.notify.domain import matrix, planning
from services.notify.domain.templates import Compiled, Source, compile_source


@dataclass(frozen=True, slots=True)
class ShippedTemplate:
    """Version 0 of a template, which holds until a marketer saves another."""

    code: str
    topic: matrix.Topic
    source: Source
    compiled: Compiled


@dataclass(frozen=True, slots=True)
class _Shipped:
    topic: matrix.Topic
    subject: str
    inbox_title: str


_SHIPPED: Mapping[str, _Shipped] = {
    planning.DIGEST: _Shipped(
        "offers",
        "{% if offers|length == 1 %}{{ offers_first.title }}{% else %}"
        "{{ offers|length }} offers picked for you{% endif %}",
        "{% if offers|length == 1 %}{{ offers_first.title }}{% else %}"
        "{{ offers|length }} new offers on your card{% endif %}",
    ),
    planning.POINTS: _Shipped(
        "points",
        "You earned {{ points.earned }} points",
        "You earned {{ points.earned }} points",
    ),
    planning.EXPIRING: _Shipped(
        "points",
        "{{ points.ending }} of your points end after {{ points.until }}",
        "{{ points.ending }} points end soon",
    ),
    planning.AWARDED: _Shipped(
        "points",
        "{{ points.awarded }} points for you",
        "{{ points.awarded }} points for you",
    ),
    planning.DECIDED: _Shipped(
        "points",
        "{% if points.approved %}{{ points.decided }} points are yours{% else %}"
        "About the points of your receipt{% endif %}",
        "{% if points.approved %}{{ points.decided }} points are yours{% else %}"
        "About the points of your receipt{% endif %}",
    ),
    planning.TIER_NOTICE: _Shipped(
        "tiers",
        "{{ tier.name }} ends soon, and can be kept",
        "{{ tier.name }} ends soon",
    ),
    planning.TIER_REACHED: _Shipped(
        "tiers",
        "You are {{ tier.name }} now",
        "You are {{ tier.name }} now",
    ),
}


def compile_shipped(read: Callable[[str], str]) -> dict[str, ShippedTemplate]:
    """Compile the shipped templates; ``read`` gives the text of a file of ``templates/``."""
    found: dict[str, ShippedTemplate] = {}
    for code, shipped in _SHIPPED.items():
        source = Source(
            subject=shipped.subject,
            mjml=read(f"{code}.mjml"),
            text=read(f"{code}.txt"),
            inbox_title=shipped.inbox_title,
            inbox_text=read(f"{code}.inbox.txt"),
        )
        found[code] = ShippedTemplate(code, shipped.topic, source, compile_source(source))
    return found


def sample_values() -> dict[str, Any]:
    """Return values as a template gets them: what a preview shows, and what saving tries."""
    offers = [
        {
            "title": "20% off bananas",
            "reason": "You buy bananas about every 9 days",
            "discount": "20% off",
            "valid_until": "29 November 2026",
        },
        {
            "title": "1.00 USD off green tea",
            "reason": "It is time for a new box",
            "discount": "1.00 USD off",
            "valid_until": "29 November 2026",
        },
    ]
    return {
        "programme": {"name": "Perennial"},
        "member": {"first_name": "Ada", "name": "Ada Example"},
        "offers": offers,
        "offers_first": offers[0],
        "points": {
            "earned": 120,
            "available": 1480,
            "explain": "1 point per USD",
            "ending": 200,
            "until": "4 December 2026",
            "awarded": 500,
            "waiting": False,
            "decided": 5_000,
            "approved": True,
        },
        "tier": {
            "name": "Gold",
            "falls_to": "Silver",
            "explain": (
                "Gold lasts until 2026-12-31, then comes Silver. "
                "40.00 USD more by 2026-12-31 would keep it."
            ),
        },
        "unsubscribe_url": "https://example.org/u/preview",
    }
