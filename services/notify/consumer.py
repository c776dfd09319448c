"""Topics and their batch handlers."""

from collections.abc import Mapping

from services.notify.handlers import learn, triggers
from shared import auth
from shared.service import Handler

HANDLERS: Mapping[str, Handler] = {
    "members": learn.on_members,
    "member-contacts": learn.on_contacts,
    "interactions": learn.on_interactions,
    "offers": triggers.on_offers,
    "loyalty": triggers.on_loyalty,
    "credentials": auth.on_credentials,
}
