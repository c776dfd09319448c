"""Leave events in the outbox uncompressed."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Keep rows up to the size of a page as they are.

    An event of ten lines is compressed by default, although it is read once, by the relay, and
    deleted a week later.
    """
    op.execute("ALTER TABLE outbox SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    """Compress what is large again."""
    op.execute("ALTER TABLE outbox RESET (toast_tuple_target)")
