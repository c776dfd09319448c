"""Versions of the programme that are drafted and published over HTTP."""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLE = """
    CREATE TABLE programme_version (
        version text PRIMARY KEY,
        state text NOT NULL,
        document jsonb NOT NULL,
        effective_from timestamptz,
        updated_at timestamptz NOT NULL,
        published_at timestamptz,
        CONSTRAINT programme_version_effective_from UNIQUE (effective_from),
        CONSTRAINT programme_version_state CHECK (state IN ('draft', 'published')),
        CONSTRAINT programme_version_published CHECK (
            (state = 'published') = (effective_from IS NOT NULL AND published_at IS NOT NULL)
        )
    )
"""

# Receipts are settled by it for ever: a return in March asks for the rules of February.
IMMUTABLE = """
    CREATE FUNCTION programme_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'version % of the programme is published and stays as it is', OLD.version
            USING ERRCODE = 'restrict_violation';
    END
    $$
"""

TRIGGER = """
    CREATE TRIGGER programme_version_stays BEFORE UPDATE OR DELETE ON programme_version
    FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION programme_version_stays()
"""


def upgrade() -> None:
    """Create the table; what is published in it can not be changed."""
    for statement in (TABLE, IMMUTABLE, TRIGGER):
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE programme_version")
    op.execute("DROP FUNCTION programme_version_stays()")
