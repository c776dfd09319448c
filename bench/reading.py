"""What reading one purchase costs: by its contract, and as the struct that is made from it.

``python -m bench.reading``: real baskets, the best of several rounds, so that what else the machine
does counts for little.
"""

from collections.abc import Callable, Sequence
from time import process_time

from bench import workload
from shared.contracts.topics import TOPICS

EVENTS = 3_000
ROUNDS = 7


def us_per_event(read: Callable[[bytes], object], values: Sequence[bytes]) -> float:
    """Return the processor time of the fastest round, in microseconds an event."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        started = process_time()
        for value in values:
            read(value)
        fastest = min(fastest, process_time() - started)
    return fastest / len(values) * 1e6


def main() -> None:
    values = [value for _, value in workload.records(EVENTS)]
    topic = TOPICS["purchases"]
    contract, struct = us_per_event(topic.parse, values), us_per_event(topic.read, values)
    print(f"{sum(map(len, values)) / len(values):,.0f} bytes an event")
    print(f"contract {contract:.1f} us, struct {struct:.1f} us: {contract / struct:.1f} times")


if __name__ == "__main__":
    main()
