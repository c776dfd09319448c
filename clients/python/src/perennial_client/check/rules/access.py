"""Access: a terminal's key is good for its own store and terminal, and nothing goes without one."""

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, RETURNS, Till


@rule("no-key", "Without a key the answer is 401, and names the scheme.")
async def _(till: Till) -> None:
    sale = till.sale()
    answer = await till.send(PURCHASES, sale, headers={"Authorization": None})
    answer.expect(401, code="unauthenticated")
    scheme = answer.answer_headers.get("www-authenticate", "")
    answer.check(scheme.startswith("Bearer"), "expected WWW-Authenticate: Bearer …")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)


@rule("wrong-key", "A key that is not known is a 401.")
async def _(till: Till) -> None:
    wrong = {"Authorization": f"Bearer {till.key[:-1]}{'a' if till.key[-1] != 'a' else 'b'}"}
    answer = await till.send(PURCHASES, till.sale(), headers=wrong)
    answer.expect(401, code="unauthenticated")


@rule("other-store", "A sale of another store is a 403, and is not recorded.")
async def _(till: Till) -> None:
    sale = till.sale(store_id=f"not-{till.store_id}")
    (await till.send(PURCHASES, sale)).expect(403, code="wrong_terminal")


@rule("other-terminal", "So is one of another terminal.")
async def _(till: Till) -> None:
    sale = till.sale(terminal_id=f"not-{till.terminal_id}")
    (await till.send(PURCHASES, sale)).expect(403, code="wrong_terminal")


@rule("other-store-return", "So is a return in another store's name.")
async def _(till: Till) -> None:
    back = till.back(await till.sell(), "1", 99, store_id=f"not-{till.store_id}")
    (await till.send(RETURNS, back)).expect(403, code="wrong_terminal")
