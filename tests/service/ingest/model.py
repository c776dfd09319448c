"""What a receipt should come to: the rules of the till protocol, told as simply as they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Lines = dict[int, tuple[int, int]]
"""By line number: quantity in whole units, and money."""
Result = Literal["accepted", "unchanged", "replayed", "conflict", "refused"]
Person = str


@dataclass
class People:
    """Who has which card, and who was merged into whom."""

    owners: dict[str, Person] = field(default_factory=dict[str, Person])
    into: dict[Person, Person] = field(default_factory=dict[Person, Person])

    def left(self, person: Person | None) -> Person | None:
        """Return whoever is left of ``person`` after all merges."""
        while person in self.into:
            person = self.into[person]
        return person

    def owner(self, card: str | None) -> Person | None:
        """Return who has ``card`` now."""
        return self.left(self.owners.get(card)) if card else None


@dataclass
class Receipt:
    """One receipt, known or not yet."""

    card: str | None
    people: People
    seen: dict[str, object] = field(default_factory=dict[str, object])
    """Bodies by natural key: of the sale, and of everything after it."""
    waiting: list[tuple[int, int, Callable[[], Result]]] = field(
        default_factory=list[tuple[int, int, Callable[[], Result]]]
    )
    sold: Lines | None = None
    net: Lines = field(default_factory=dict[int, tuple[int, int]])
    member: Person | None = None
    revision: int = 0
    amendment: int = 1
    voided: bool = False
    claimed: bool = False

    def record(self, lines: Lines) -> Result:
        """Record the sale; what waited for it follows in order."""
        known = self._known("sale", lines)
        if known:
            return known
        self.seen["sale"] = lines
        self.sold, self.net, self.revision = lines, lines, 1
        self.member = self.people.owner(self.card)
        for _, _, act in sorted(self.waiting, key=lambda one: one[:2]):
            act()
        return "accepted"

    def take_back(self, number: int, lines: Lines) -> Result:
        """Take goods back by the return ``number``, which also tells when."""
        return self._change(f"return {number}", lines, (1, number), lambda: self._returned(lines))

    def void(self, reason: str) -> Result:
        """Undo the sale."""
        return self._change("void", reason, (2, 0), self._voided)

    def amend(self, revision: int, lines: Lines) -> Result:
        """Correct the sale."""
        order = (0, revision)
        return self._change(
            f"amendment {revision}", lines, order, lambda: self._amended(revision, lines)
        )

    def claim(self, card: str) -> Result:
        """Claim the receipt by its token for whoever has ``card``."""
        claimant, owner = self.people.owner(card), self.people.left(self.member)
        if claimant is None or owner not in {None, claimant}:
            return "refused"
        if owner == claimant:
            repeated, self.claimed = self.claimed, True
            return "replayed" if repeated else "unchanged"
        self.claimed = True
        self.attribute(claimant)
        return "accepted"

    def attribute(self, member: Person) -> None:
        """Give the receipt to a member."""
        self.member = member
        self.revision += 1

    def _known(self, key: str, body: object) -> Result | None:
        if key not in self.seen:
            return None
        return "replayed" if self.seen[key] == body else "conflict"

    def _change(
        self, key: str, body: object, order: tuple[int, int], act: Callable[[], Result]
    ) -> Result:
        known = self._known(key, body)
        if known:
            return known
        if self.sold is None:
            self.seen[key] = body
            self.waiting.append((*order, act))
            return "accepted"
        result = act()
        if result != "refused":
            self.seen[key] = body
        return result

    def _revised(self, net: Lines) -> Result:
        self.net = net
        self.revision += 1
        self.member = self.people.left(self.member)
        return "accepted"

    def _returned(self, back: Lines) -> Result:
        net = dict(self.net)
        for line, (quantity, amount) in back.items():
            held = net.get(line)
            if self.voided or held is None or quantity > held[0] or amount > held[1]:
                return "refused"
            net[line] = (held[0] - quantity, held[1] - amount)
        return self._revised(net)

    def _voided(self) -> Result:
        if self.voided:
            return "refused"
        self.voided = True
        return self._revised(dict.fromkeys(self.net, (0, 0)))

    def _amended(self, revision: int, lines: Lines) -> Result:
        if self.voided:
            return "refused"
        if revision < self.amendment:
            return "unchanged"
        sold = self.sold or {}
        taken = {n: (sold[n][0] - self.net[n][0], sold[n][1] - self.net[n][1]) for n in sold}
        net: Lines = {}
        for line in sold.keys() | lines.keys():
            quantity, amount = lines.get(line, (0, 0))
            back = taken.get(line, (0, 0))
            if quantity < back[0] or amount < back[1]:
                return "refused"
            if line in lines:
                net[line] = (quantity - back[0], amount - back[1])
        self.sold, self.amendment = lines, revision
        return "unchanged" if net == self.net else self._revised(net)
