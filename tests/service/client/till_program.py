"""A till as its own process: puts receipts and sends them, until it is killed.

``python -m tests.service.client.till_program spool url first count``; the key is its input.
"""

import asyncio
import sys
from pathlib import Path

from perennial_client import AuthenticatedClient, Patience, Sender, Spool
from tests.service.client import conftest
from tests.service.ingest.conftest import purchase_body

FULL_SPEED = Patience(first_pause_s=0.01, longest_pause_s=0.05, idle_s=0.01, batch_rows_max=3)


async def main(path: str, url: str, first: int, count: int) -> None:
    """Put and send at once, as a till does that sells while it catches up."""
    key = sys.stdin.readline().strip()
    with Spool(Path(path), store_id=conftest.STORE, terminal_id=conftest.TERMINAL) as spool:
        sender = Sender(spool, AuthenticatedClient(url, key), patience=FULL_SPEED)
        async with sender, asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            group.create_task(sender.run(stop))
            for number in range(first, first + count):
                spool.put("purchase", purchase_body(str(number)))
                print(number, flush=True)  # noqa: T201  tells the test what it may rely on
                await asyncio.sleep(0)
            while spool.status().waiting:
                await asyncio.sleep(0.01)
            stop.set()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
