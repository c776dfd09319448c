"""Which events ingest consumes."""

from services.ingest.handlers import credentials, members

HANDLERS = {"members": members.on_members, "credential-uses": credentials.on_uses}
