"""The values that a template gets, and the letter that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notify.domain import templates, wording
from services.notify.domain.mail import Letter
from services.notify.domain.templates import Compiled


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it."""

    name: str | None
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class OfferTold:
    """An offer as a message tells of it."""

    title: str
    reason: str
    percent: int | None
    amount_minor: int | None
    currency: str
    valid_until: datetime


def values(
    programme_name: str,
    reader: Reader,
    *,
    offers: Sequence[OfferTold] = (),
    trigger: Mapping[str, Mapping[str, Any]],
    unsubscribe_url: str = "",
) -> dict[str, Any]:
    """Return what a template may show: plain values only, nothing that can be called.

    ``trigger`` is what the event said, under the name by which templates know it.
    """
    told = [
        {
            "title": offer.title,
            "reason": offer.reason,
            "discount": wording.discount(offer.percent, offer.amount_minor, offer.currency),
            "valid_until": wording.day(offer.valid_until, reader.time_zone),
        }
        for offer in offers[: templates.ITEMS_MAX]
    ]
    return {
        "programme": {"name": programme_name},
        "member": {"first_name": wording.first_name(reader.name), "name": reader.name or ""},
        "offers": told,
        "offers_first": told[0] if told else {"title": "", "reason": "", "discount": ""},
        **{name: dict(said) for name, said in trigger.items()},
        "unsubscribe_url": unsubscribe_url,
    }


def write(
    compiled: Compiled,
    shown: Mapping[str, Any],
    *,
    message_id: UUID,
    to: tuple[str, str | None],
    unsubscribe_url: str | None,
) -> Letter:
    """Return the letter to ``to`` (address, name); raises ``UnfitTemplate``."""
    subject, html, text = templates.render_mail(compiled, shown)
    return Letter(
        message_id=message_id,
        to_address=to[0],
        to_name=to[1],
        subject=subject,
        html=html,
        text=text,
        unsubscribe_url=unsubscribe_url,
    )
