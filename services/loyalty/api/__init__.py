"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import ledger, members

ROUTERS = (members.router, ledger.router)
