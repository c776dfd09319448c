"""Which events loyalty consumes."""

from services.loyalty.handlers import earn
from shared import auth

HANDLERS = {"purchases": earn.on_purchases, "credentials": auth.on_credentials}
