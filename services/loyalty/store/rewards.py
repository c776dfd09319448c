"""The stock of rewards."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.stock import Stock
from services.loyalty.store.award_tables import reward_stock
from shared.db import Tx, bulk

_KEY = reward_stock.c.reward_id
_SELECT = sa.select(reward_stock.c.stock, reward_stock.c.taken)
_MOVED = bulk.Rows("moved", {"reward_id": sa.Text(), "pieces": sa.BigInteger()})
_MOVE = (
    reward_stock.update()
    .values(taken=reward_stock.c.taken + _MOVED.c.pieces)
    .where(reward_stock.c.reward_id == _MOVED.c.reward_id)
)


async def load_all(tx: Tx) -> dict[str, Stock]:
    """Return the stock of every reward that ever had one or was taken."""
    rows = await tx.execute(sa.select(_KEY, reward_stock.c.stock, reward_stock.c.taken))
    return {reward_id: Stock(stock, taken) for reward_id, stock, taken in rows}


async def lock(tx: Tx, reward_id: str) -> Stock:
    """Lock the stock of a reward and return it; one that has none gets a row without end.

    So whoever takes a piece has counted it, also before anybody says how many there are.
    """
    await tx.execute(insert(reward_stock).values(reward_id=reward_id).on_conflict_do_nothing())
    statement = _SELECT.where(reward_stock.c.reward_id == reward_id)
    return Stock(*(await tx.execute(statement.with_for_update(key_share=True))).one())


async def move(tx: Tx, pieces: Mapping[str, int]) -> None:
    """Count so many pieces more as taken, negative: fewer; locks in the order of the ids.

    A hold that has a piece was granted behind ``lock``, so that there is a row.
    """
    ids = sorted(pieces)
    wanted = reward_stock.c.reward_id == sa.any_(bulk.array(sa.Text(), ids))
    await tx.execute(sa.select(_KEY).where(wanted).order_by(_KEY).with_for_update(key_share=True))
    moved = {"reward_id": ids, "pieces": [pieces[one] for one in ids]}
    await tx.execute(_MOVE, _MOVED.values(moved))


async def set_stock(tx: Tx, reward_id: str, stock: int | None) -> Stock:
    """Say how many there are altogether; what is taken stays as it is."""
    written = insert(reward_stock).values(reward_id=reward_id, stock=stock)
    statement = written.on_conflict_do_update(
        index_elements=[_KEY], set_={"stock": written.excluded.stock}
    ).returning(reward_stock.c.stock, reward_stock.c.taken)
    return Stock(*(await tx.execute(statement)).one())
