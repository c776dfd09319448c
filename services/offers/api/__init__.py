"""Routes of offers: parse, one handler, answer."""

from services.offers.api import campaigns, members, quotes

ROUTERS = (members.router, campaigns.router, quotes.router)
