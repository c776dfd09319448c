"""Holds that should have ended long ago show in a gauge, until the sweep has come by."""

from datetime import timedelta

from prometheus_client import REGISTRY

from services.loyalty import jobs
from tests.service.loyalty import gifts
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till


async def stuck(desk: Desk) -> dict[str, float | None]:
    await jobs.gauge_stuck_holds(desk.context)
    return {
        kind: REGISTRY.get_sample_value(
            "perennial_stuck_holds", {"service": "loyalty", "kind": kind}
        )
        for kind in ("points", "gift_card")
    }


async def test_a_hold_is_stuck_from_a_minute_after_its_end_until_it_is_swept(desk: Desk) -> None:
    async with desk.client("staff") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        card = await gifts.sell(client)
        await till.held(100, ttl_s=60)
        await till.held(100, ttl_s=600)
        await gifts.held(client, card, 100, ttl_s=60)
        await gifts.held(client, card, 100, ttl_s=60)

    desk.clock.advance(timedelta(seconds=119))
    assert await stuck(desk) == {"points": 0, "gift_card": 0}
    desk.clock.advance(timedelta(seconds=1))
    assert await stuck(desk) == {"points": 1, "gift_card": 2}

    await jobs.run_sweep(desk.context)
    await jobs.sweep_gift_holds(desk.context)
    assert await stuck(desk) == {"points": 0, "gift_card": 0}
