"""Running numbers: what a till sent and the server never saw can be found out."""

import time
from urllib.parse import quote

from perennial_client.check.exchange import Exchange
from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, Till


async def _gaps(till: Till) -> Exchange:
    terminal, store = quote(till.terminal_id, safe=""), quote(till.store_id, safe="")
    return (await till.read(f"/v1/terminals/{terminal}/gaps?store_id={store}&limit=5")).expect(200)


@rule("gap-shown", "A running number that never came is shown as a gap, until it comes.")
async def _(till: Till) -> None:
    # By the clock, so that they are above those of the run before.
    first = int(time.time() * 1_000)
    missing = {"first": first + 1, "last": first + 1, "missing": 1}
    for number in (first, first + 2):
        (await till.send(PURCHASES, till.sale(terminal_seq=number))).expect(202)
    told = await _gaps(till)
    told.check(missing in told.json.get("data", []), f"expected the gap {missing}")
    (await till.send(PURCHASES, till.sale(terminal_seq=first + 1))).expect(202)
    told = await _gaps(till)
    told.check(missing not in told.json.get("data", []), "expected the gap to be closed")
