"""Know how fresh the copy of the API keys is."""

from alembic import op

from shared.db import plumbing

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make room for ingest's heartbeat."""
    plumbing.create_heartbeat(op)


def downgrade() -> None:
    """Forget it."""
    plumbing.drop_heartbeat(op)
