"""From the first commit to the last: events, wall time and CPU time between."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Progress:
    """Tell it how many events are committed; it remembers the first and the last time."""

    clock: Callable[[], float]
    cpu: Callable[[], float]
    first: tuple[int, float, float] | None = None
    last: tuple[int, float, float] | None = None
    half_rss_mb: float | None = None
    """What the process had in memory half way, where somebody looked."""

    def at(self, committed: int) -> None:
        """Note that ``committed`` events are committed by now."""
        if committed == 0 or (self.last is not None and committed == self.last[0]):
            return
        self.last = (committed, self.clock(), self.cpu())
        self.first = self.first or self.last

    def _span(self) -> tuple[float, float, float]:
        if self.first is None or self.last is None or self.first == self.last:
            message = "too few events to measure anything"
            raise RuntimeError(message)
        count, wall, cpu = (end - begin for begin, end in zip(self.first, self.last, strict=True))
        return count, wall, cpu

    @property
    def counted(self) -> int:
        """Events between the first note and the last."""
        return int(self._span()[0])

    @property
    def seconds(self) -> float:
        """Wall time between them."""
        return self._span()[1]

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the process between them."""
        return self._span()[2]
