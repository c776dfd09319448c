"""Routes of notify: parse, one handler, answer."""

from services.notify.api import members, messages, templates, unsubscribe

ROUTERS = (members.router, messages.router, templates.router, unsubscribe.router)
