"""Which events ingest consumes."""

from services.ingest.handlers import members

HANDLERS = {"members": members.on_members}
