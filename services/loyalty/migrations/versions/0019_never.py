"""What never begins: a time that is read as it was written, in place of ``infinity``."""

from alembic import op

revision = "0019"
down_revision = "0018"

UPGRADE = (
    "UPDATE lot SET activates_at = '9999-12-31T00:00:00Z' WHERE activates_at = 'infinity'",
    "UPDATE receipt SET begins_at = '9999-12-31T00:00:00Z' WHERE begins_at = 'infinity'",
    "UPDATE receipt SET due_at = '9999-12-31T00:00:00Z' WHERE due_at = 'infinity'",
    "UPDATE progress SET begins_at = '9999-12-31T00:00:00Z' WHERE begins_at = 'infinity'",
    "UPDATE award SET begins_at = '9999-12-31T00:00:00Z' WHERE begins_at = 'infinity'",
)


def upgrade() -> None:
    """Rewrite the few that there are."""
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Leave them: what was before reads them, too."""
