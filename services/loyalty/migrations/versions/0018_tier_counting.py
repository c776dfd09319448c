"""Know by which measure and periods the sums of tiers are counted."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create it, empty: the first process that starts writes what the programme's file says."""
    op.execute(
        """
        CREATE TABLE tier_counting (
            one boolean PRIMARY KEY DEFAULT true,
            counted_by text NOT NULL,
            CONSTRAINT tier_counting_one CHECK (one)
        )
        """
    )


def downgrade() -> None:
    """Forget it: nothing then holds who changes the measure from mixing it with another."""
    op.drop_table("tier_counting")
