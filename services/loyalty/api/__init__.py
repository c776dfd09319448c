"""Routes of loyalty: parse, one handler, answer."""

from services.loyalty.api import holds, imports, ledger, members

ROUTERS = (members.router, ledger.router, holds.router, imports.router)
