"""Returns become one kind of change to a sale, beside voids, amendments and claims."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KINDS = "kind IN ('return', 'void', 'amendment', 'claim')"
_STATES = "state IN ('withheld', 'applied', 'unchanged', 'refused', 'unlinked')"
_SHAPE = "(state = 'unlinked') = (sale_id IS NULL) AND (kind = 'amendment') = (amendment > 0)"


def upgrade() -> None:
    """Widen the table of returns."""
    op.rename_table("receipt_return", "receipt_change")
    op.alter_column("receipt_change", "return_id", new_column_name="change_id")
    op.alter_column("receipt_change", "sale_id", nullable=True)
    op.add_column(
        "receipt_change", sa.Column("kind", sa.Text, nullable=False, server_default="return")
    )
    op.alter_column("receipt_change", "kind", server_default=None)
    op.add_column(
        "receipt_change", sa.Column("amendment", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column("receipt_change", sa.Column("terminal_seq", sa.BigInteger))
    op.drop_constraint("return_state", "receipt_change")
    op.create_check_constraint("change_state", "receipt_change", _STATES)
    op.create_check_constraint("change_kind", "receipt_change", _KINDS)
    op.create_check_constraint("change_shape", "receipt_change", _SHAPE)
    op.execute("ALTER INDEX return_withheld RENAME TO change_withheld")
    op.create_index(
        "change_standing",
        "receipt_change",
        ["sale_id"],
        postgresql_where=sa.text("kind IN ('void', 'amendment')"),
    )
    op.create_index(
        "change_exception",
        "receipt_change",
        ["received_at", "change_id"],
        postgresql_where=sa.text("state IN ('withheld', 'refused', 'unlinked')"),
    )


def downgrade() -> None:
    """Keep the returns alone."""
    op.drop_index("change_exception", "receipt_change")
    op.drop_index("change_standing", "receipt_change")
    op.execute("DELETE FROM receipt_change WHERE kind <> 'return' OR state = 'unlinked'")
    for name in ("change_shape", "change_kind", "change_state"):
        op.drop_constraint(name, "receipt_change")
    op.create_check_constraint(
        "return_state", "receipt_change", "state IN ('withheld', 'applied', 'refused')"
    )
    op.execute("ALTER INDEX change_withheld RENAME TO return_withheld")
    for name in ("terminal_seq", "amendment", "kind"):
        op.drop_column("receipt_change", name)
    op.alter_column("receipt_change", "sale_id", nullable=False)
    op.alter_column("receipt_change", "change_id", new_column_name="return_id")
    op.rename_table("receipt_change", "receipt_return")
