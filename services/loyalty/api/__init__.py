"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import imports, ledger, members

ROUTERS = (members.router, ledger.router, imports.router)
