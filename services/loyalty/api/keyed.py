"""Calls with an ``Idempotency-Key`` that may carry the code of a gift card."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import Response
from pydantic import BaseModel

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers.gift_cards import Who
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.http import idempotency
from shared.http.idempotency import Keyed


def who(caller: Caller) -> Who:
    """Return the caller as entries name it; a till is bound to its store."""
    store_id = caller.store_id if caller.role == "terminal" else None
    return Who(f"{caller.role} {caller.key_id}", store_id)


async def answer(
    key: Keyed,
    caller: Caller,
    context: LoyaltyContext,
    effect: Callable[[Tx], Awaitable[BaseModel]],
    *,
    status: int = 200,
) -> Response:
    """Run ``effect`` once for this key, in a transaction of its own.

    What is stored of the body is hashed with our key: from a plain hash of a body whose other
    fields are known, a code could be guessed.
    """
    sealed = hmac.digest(context.identity_key, key.fingerprint, "sha256")
    key = replace(key, fingerprint=sealed)
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(tx, key, caller, lambda: effect(tx), status=status),
    )
