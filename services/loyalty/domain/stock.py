"""The stock of rewards: pieces of a product or seats of an event, each in the hands of one hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from services.loyalty.domain.postings import SpendChange
from services.loyalty.domain.rewards import Hindrance


class Stock(NamedTuple):
    """Pieces or seats of a reward, whatever version they were taken under."""

    stock: int | None = None
    """How many there are altogether; None for as many as are asked for."""
    taken: int = 0
    """How many holds have one, open or captured."""

    @property
    def left(self) -> int | None:
        """Return how many can still be taken.

        More may be taken than there are: a till that was offline has handed its piece over.
        """
        return None if self.stock is None else max(0, self.stock - self.taken)


def out_of_stock(stock: Stock) -> Iterator[Hindrance]:
    """Yield that nothing is left, where nothing is."""
    if stock.left == 0:
        yield Hindrance("reward_out_of_stock", "There is none left.")


def pieces(changes: Iterable[SpendChange]) -> Mapping[str, int]:
    """Return by reward how many pieces more the changes take; negative gives back, 0 is left out.

    A hold has its piece exactly as long as it takes points. So whatever happens to it, and however
    often, is the difference between two states, and no piece comes or goes twice.
    """
    more: Counter[str] = Counter()
    for change in changes:
        reward_id = change.after.reward_id
        if reward_id is not None:
            had = change.before is not None and change.before.taken > 0
            more[reward_id] += (change.after.taken > 0) - had
    return {reward_id: number for reward_id, number in more.items() if number}
