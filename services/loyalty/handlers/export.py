"""Everything that is known of one member, in one archive."""

import textwrap
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers import enrol, read
from services.loyalty.handlers.enrol import Known
from services.loyalty.store import export, merges
from shared.db import Tx
from shared.http.peer import Peer

Shape = TypeVar("Shape")

ENTRIES_AT_ONCE = 200
NOBODY = ("member_unknown", "member_not_found")
"""How services say that they know no member of an id."""
README = "README.txt"
README_WIDTH = 80
ABOUT_LISTS = {
    "lots": "points that were earned together, with their expiry and what is left of them",
    "opening_lots": "points brought along from an earlier programme",
    "receipts": "what each purchase was worth in points and for the tier",
    "holds": "points that were reserved, at a till or for a reward, and what was spent of them",
    "adjustments": "points that the staff gave or took by hand, and why",
    "approvals": "what the staff decided on large receipts, and when",
    "challenges": "what counted for each challenge, by the number of its period",
    "awards": "points for challenges, birthdays and referrals",
    "referrals": "members whom you brought, and how far that has come",
    "referral_codes": "the code that you give to friends",
    "spend_by_year": "what counted towards the tier, by year or month, and what came back of it",
    "tiers": "tiers that you reached or lost, when and why",
    "tier_notices": "when you were told that a tier would be lost",
    "devices": "phones whose app shows codes at the till, revoked ones too",
    "merges": "when another membership of yours became part of this one, or this one of another",
    "expiry_notices": "points of which you were told that they would end, and when",
}
"""By the names of ``store.export.LISTS``."""
MISSING = """
What is not in here: the lines of each purchase and the forms that you sent (the shop keeps them
with its receipts), and the texts of e-mails that were sent to you. Card numbers, and what else you
are recognised by, are kept as fingerprints only, so no more than their last digits can be shown.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What another service has of a member, at ``/v1/members/{id}/<name>``."""

    service: str
    name: str
    about: str
    paged: bool = False


PARTS = (
    Part("offers", "profile", "what you usually buy, and how often"),
    Part("offers", "offers", "your personal offers, used and expired ones too", paged=True),
    Part("notify", "preferences", "about what, how and how often you are written to"),
    Part("notify", "consents", "what you agreed to or withdrew, when, and by what", paged=True),
    Part("notify", "inbox", "messages in the app", paged=True),
)


class Archive:
    """A zip file in the making: JSON files, each written while its rows arrive."""

    def __init__(self, file: IO[bytes], at: datetime) -> None:
        """Write to ``file``, which the caller closes."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._at = at
        self._about: dict[str, str] = {}
        self._unknown_to: set[str] = set()

    def add(self, name: str, about: str, value: object) -> None:
        """Add one object."""
        self._about[name] = about
        with self._open(name) as file:
            file.write(to_json(value, indent=2) + b"\n")

    async def add_list(self, name: str, about: str, pages: AsyncIterator[Sequence[object]]) -> None:
        """Add a list; no more than one page of it is in memory."""
        self._about[name] = about
        with self._open(name) as file:
            before = b"["
            async for page in pages:
                for item in page:
                    file.write(before + b"\n" + to_json(item))
                    before = b","
            file.write(b"[]\n" if before == b"[" else b"\n]\n")

    def add_unknown(self, service: str) -> None:
        """Note that a service knows nothing of the member."""
        self._unknown_to.add(service)

    def finish(self, member_id: UUID) -> None:
        """Add what explains the rest, and the end of the file."""
        lines = [
            f"What is known of member {member_id}, as of {self._at:%Y-%m-%d %H:%M} UTC.",
            "Each file is JSON, which any text editor shows. Points are whole numbers, amounts",
            "are in the smallest unit of the currency (cents), times are in UTC.",
            "",
        ]
        for name, about in self._about.items():
            lines += textwrap.wrap(f"{name}: {about}", README_WIDTH, subsequent_indent="    ")
        lines += [f"The service {name} knew nothing of you." for name in sorted(self._unknown_to)]
        with self._open(README) as file:
            file.write("\n".join(lines).encode() + b"\n" + MISSING.encode())
        self.close()

    def close(self) -> None:
        """Write nothing more; what is not finished is no archive."""
        self._zip.close()

    def _open(self, name: str) -> IO[bytes]:
        entry = zipfile.ZipInfo(name, self._at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        return self._zip.open(entry, "w")


async def list_merged(tx: Tx, member_id: UUID) -> Sequence[UUID]:
    """Return the members whose part belongs into the archive of another."""
    return await merges.list_merged(tx, member_id)


async def add_peers(
    archive: Archive,
    member_id: UUID,
    authorization: str,
    context: LoyaltyContext,
    *,
    folder: str = "",
) -> None:
    """Add what the other services have; the caller's own key says what they may see.

    ``folder`` is where it goes of one who was merged, of whom they need not know anything.

    Raises ``Unavailable`` when one of them does not answer, or not as it should: half an archive
    would look like a whole one.
    """
    for part in PARTS:
        peer = context.peers.get(part.service)
        if peer is None:
            continue
        ask = _Question(peer, f"/v1/members/{member_id}/{part.name}", authorization)
        if not await _add_part(archive, part, ask, folder) and not folder:
            archive.add_unknown(part.service)


async def add_own(tx: Tx, archive: Archive, member_id: UUID, context: LoyaltyContext) -> None:
    """Add what loyalty has, all as of one moment; ``tx`` must be fresh. 404 for nobody's id."""
    await export.freeze(tx)
    known = await enrol.get(tx, member_id)
    archive.add("profile.json", "who you are, and what you are recognised by", _profile(known))
    member_ids = [member_id, *await merges.list_merged(tx, member_id)]
    if also := [_profile(await enrol.get(tx, one)) for one in member_ids[1:]]:
        archive.add("merged.json", "memberships that became part of this one", also)
    balance = await read.balance(tx, member_id, context)
    archive.add("balance.json", "your points and your tier", _balance(balance))
    entries = _entries(tx, member_ids, context)
    await archive.add_list(
        "entries.json", "every point that came or went, newest first, and why", entries
    )
    ends = await read.ends(tx, member_id, context)
    for name in export.LISTS:
        rows: AsyncIterator[Sequence[Mapping[str, object]]]
        rows = export.stream_rows(tx, name, member_ids)
        if name == "lots" and ends:
            rows = _ending(rows, ends)
        await archive.add_list(f"{name}.json", ABOUT_LISTS[name], rows)


async def _ending(
    pages: AsyncIterator[Sequence[Mapping[str, object]]],
    ends: Mapping[UUID, datetime | None],
) -> AsyncIterator[Sequence[Mapping[str, object]]]:
    """Add to lots the ends that follow from what the member did so far."""
    async for page in pages:
        yield [
            {**row, "expires_at": ends.get(UUID(str(row["lot_id"])), row["expires_at"])}
            for row in page
        ]


class _Page(BaseModel):
    data: list[Any]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Question:
    """Something that is asked of a peer, at once or by pages; None where it knows nobody."""

    peer: Peer
    path: str
    authorization: str

    async def once(self) -> object | None:
        answer = await self._ask({})
        return None if answer is None else self._read(_ANYTHING, answer)

    async def page(self, cursor: str | None = None) -> _Page | None:
        answer = await self._ask(_LIMIT if cursor is None else {**_LIMIT, "cursor": cursor})
        return None if answer is None else self._read(_PAGE, answer)

    async def pages(self, first: _Page) -> AsyncIterator[Sequence[object]]:
        page: _Page | None = first
        while page is not None:
            yield page.data
            page = await self.page(page.next_cursor) if page.next_cursor else None

    async def _ask(self, query: Mapping[str, str]) -> bytes | None:
        headers = {"Authorization": self.authorization}
        answer = await self.peer.ask("GET", self.path, headers=headers, params=query)
        if answer.status_code == 200:
            return answer.content
        # Another 404 would say that the service has no such route, and hide what it has.
        if (
            answer.status_code == 404
            and self._read(_ANYTHING, answer.content).get("code") in NOBODY
        ):
            return None
        raise self.peer.unavailable()

    def _read(self, shape: TypeAdapter[Shape], content: bytes) -> Shape:
        try:
            return shape.validate_json(content)
        except ValidationError as error:
            raise self.peer.unavailable() from error


_ANYTHING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_PAGE = TypeAdapter(_Page)
_LIMIT: Mapping[str, str] = {"limit": "100"}


async def _add_part(archive: Archive, part: Part, ask: _Question, folder: str) -> bool:
    """Add a part; False where the service knows nobody of that id."""
    name = f"{folder}{part.service}/{part.name}.json"
    if not part.paged:
        found = await ask.once()
        if found is not None:
            archive.add(name, part.about, found)
        return found is not None
    first = await ask.page()
    if first is not None:
        await archive.add_list(name, part.about, ask.pages(first))
    return first is not None


async def _entries(
    tx: Tx, member_ids: Sequence[UUID], context: LoyaltyContext
) -> AsyncIterator[Sequence[object]]:
    for one in member_ids:
        before: int | None = None
        while rows := await read.entries(tx, one, context, before=before, limit=ENTRIES_AT_ONCE):
            yield [{"member_id": one, **asdict(row)} for row in rows]
            before = rows[-1].version


def _balance(balance: read.Balance) -> Mapping[str, Any]:
    shown = asdict(balance)
    return {**shown.pop("account"), **shown}


def _profile(known: Known) -> Mapping[str, object]:
    member = known.member
    return {
        "member_id": member.member_id,
        "external_id": member.external_id,
        "status": member.status,
        "tier": member.tier,
        "enrolled_at": member.enrolled_at,
        **asdict(member.profile),
        "identifiers": [{"kind": one.kind, "masked": one.masked} for one in known.identifiers],
    }
