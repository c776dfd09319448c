"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import (
    devices,
    export,
    gift_cards,
    gift_holds,
    holds,
    imports,
    ledger,
    members,
)

ROUTERS = (
    members.router,
    ledger.router,
    devices.router,
    holds.router,
    export.router,
    imports.router,
    gift_cards.router,
    gift_holds.router,
)
