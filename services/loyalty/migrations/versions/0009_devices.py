"""Know the devices whose apps show codes at the till."""

from alembic import op

revision = "0009"
down_revision = "0008"

DEVICE = """
    CREATE TABLE device (
        device_id uuid PRIMARY KEY,
        number integer NOT NULL,
        member_id uuid NOT NULL REFERENCES member (member_id),
        name text,
        enrolled_at timestamptz NOT NULL,
        revoked_at timestamptz,
        last_step bigint NOT NULL DEFAULT 0,
        last_used_at timestamptz,
        CONSTRAINT device_number UNIQUE (number),
        CONSTRAINT device_number_has_eight_digits CHECK (number BETWEEN 10000000 AND 99999999)
    )
"""


def upgrade() -> None:
    """Create the table; it holds no secret."""
    op.execute(DEVICE)
    op.execute("CREATE INDEX device_member ON device (member_id, enrolled_at)")


def downgrade() -> None:
    """Forget them: their apps have to enrol again."""
    op.execute("DROP TABLE device")
