"""Filling templates for messages that passed the gates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from services.notify.context import NotifyContext
from services.notify.domain import letters, templates
from services.notify.domain.letters import OfferTold, Reader
from services.notify.domain.mail import Letter
from services.notify.domain.templates import Compiled, UnfitTemplate
from services.notify.domain.tokens import Leave
from services.notify.store import offers
from services.notify.store import templates as saved_templates
from services.notify.store.facts import Case
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Writer:
    """The templates and offers that some cases need, loaded together."""

    context: NotifyContext
    templates: Mapping[str, tuple[int, Compiled]]
    """Code → the version that holds."""
    offers: Mapping[UUID, Sequence[OfferTold]]

    @classmethod
    async def load(cls, tx: Tx, cases: Sequence[Case], context: NotifyContext) -> Self:
        if not cases:
            return cls(context, {}, {})
        holding = {code: (0, shipped.compiled) for code, shipped in context.shipped.items()}
        codes = sorted({case.template for case in cases})
        saved = await saved_templates.load_templates(tx, codes)
        holding |= {code: (one.version, one.compiled) for code, one in saved.items()}
        digests = [case.message_id for case in cases if case.facts.items is not None]
        told = await offers.list_usable(
            tx, digests, now=context.clock.now(), limit=templates.ITEMS_MAX
        )
        return cls(context, holding, told)

    def inbox(self, case: Case) -> tuple[int, dict[str, str]]:
        """Return the template's version, and title and text; raises ``UnfitTemplate``."""
        version, compiled = self._template(case)
        title, text = templates.render_inbox(compiled, self._values(case, ""))
        return version, {"title": title, "text": text}

    def letter(self, case: Case) -> tuple[int, Letter]:
        """Return the template's version, and the letter; raises ``UnfitTemplate``."""
        version, compiled = self._template(case)
        leave = Leave(case.member_id, case.asked.topic, case.asked.channel, case.message_id)
        url = self.context.links.unsubscribe(leave)
        letter = letters.write(
            compiled,
            self._values(case, url),
            message_id=case.message_id,
            to=(case.facts.address or "", case.name),
            # Nobody can leave what they must be told.
            unsubscribe_url=None if case.asked.topic == "service" else url,
        )
        return version, letter

    def _template(self, case: Case) -> tuple[int, Compiled]:
        found = self.templates.get(case.template)
        if found is None:
            raise UnfitTemplate("code", f"there is no template {case.template}")
        return found

    def _values(self, case: Case, unsubscribe_url: str) -> dict[str, Any]:
        about = "tier" if case.asked.topic == "tiers" else "points"
        return letters.values(
            self.context.programme_name,
            Reader(case.name, case.time_zone),
            offers=self.offers.get(case.message_id, ()),
            trigger={about: case.template_values},
            unsubscribe_url=unsubscribe_url,
        )
