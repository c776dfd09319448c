"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import (
    adjustments,
    backtests,
    devices,
    export,
    gift_cards,
    gift_holds,
    holds,
    imports,
    ledger,
    members,
    previews,
    programmes,
    reports,
)

ROUTERS = (
    members.router,
    ledger.router,
    devices.router,
    holds.router,
    adjustments.router,
    reports.router,
    export.router,
    programmes.router,
    backtests.router,
    previews.router,
    imports.router,
    gift_cards.router,
    gift_holds.router,
)
