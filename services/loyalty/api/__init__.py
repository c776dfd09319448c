"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import (
    adjustments,
    backtests,
    challenges,
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
    referrals,
    reports,
    rewards,
)

ROUTERS = (
    members.router,
    ledger.router,
    challenges.router,
    referrals.router,
    devices.router,
    holds.router,
    rewards.router,
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
