"""The storm of ``python -m bench storm``, in a small size: it checks itself."""

import pytest
from rich.console import Console

from bench import storm
from bench.infra import infra

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SMALL = storm.Size(terminals=20, hours=1 / 6, every_s=3, again_one_in=2, households=40, weeks=8)


async def test_storm_of_offline_tills_is_applied_exactly_once() -> None:
    async with infra() as servers:
        figures = await storm.run(servers, Console(stderr=True), SMALL)
    assert figures["events"] == SMALL.terminals * SMALL.per_terminal
    assert figures["replayed"] > 0
    assert figures["live purchases"] > 0
