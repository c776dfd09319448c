"""Topics and their batch handlers."""

from collections.abc import Mapping

from services.offers.handlers import purchases, reference
from shared import auth
from shared.service import Handler

HANDLERS: Mapping[str, Handler] = {
    "purchases": purchases.on_purchases,
    "catalogue": reference.on_catalogue,
    "members": reference.on_members,
    "credentials": auth.on_credentials,
}
