"""Gift cards: cards, their double-entry ledger, and holds."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0008"
down_revision = "0007"

UPGRADE = (
    """
    CREATE TABLE gift_card (
        gift_card_id uuid PRIMARY KEY,
        code_hmac text NOT NULL,
        code_tail text NOT NULL,
        reference text,
        currency text NOT NULL,
        face_minor bigint NOT NULL,
        state text NOT NULL,
        state_by text NOT NULL,
        state_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        activated_at timestamptz,
        expires_at timestamptz,
        available_minor bigint NOT NULL,
        held_minor bigint NOT NULL,
        version bigint NOT NULL,
        hash bytea NOT NULL,
        CONSTRAINT gift_card_code UNIQUE (code_hmac),
        CONSTRAINT gift_card_face CHECK (face_minor >= 0),
        CONSTRAINT gift_card_state CHECK (state IN ('inactive', 'active', 'blocked', 'expired')),
        CONSTRAINT gift_card_not_overdrawn CHECK (available_minor >= 0 AND held_minor >= 0),
        CONSTRAINT gift_card_money_only_once_active CHECK (
            activated_at IS NOT NULL OR available_minor + held_minor = 0
        )
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX gift_card_ends ON gift_card (expires_at)
    WHERE state IN ('inactive', 'active') OR available_minor > 0
    """,
    """
    CREATE TABLE gift_entry (
        gift_card_id uuid NOT NULL REFERENCES gift_card,
        version bigint NOT NULL,
        cause_id uuid NOT NULL,
        from_account text NOT NULL,
        to_account text NOT NULL,
        amount_minor bigint NOT NULL,
        available_after bigint NOT NULL,
        held_after bigint NOT NULL,
        hold_id uuid,
        receipt_id uuid,
        actor text NOT NULL,
        occurred_at timestamptz NOT NULL,
        posted_at timestamptz NOT NULL,
        hash bytea NOT NULL,
        PRIMARY KEY (gift_card_id, version),
        CONSTRAINT gift_entry_moves_something CHECK (amount_minor > 0),
        CONSTRAINT gift_entry_has_two_sides CHECK (from_account <> to_account),
        CONSTRAINT gift_entry_balances CHECK (available_after >= 0 AND held_after >= 0),
        CONSTRAINT gift_entry_accounts CHECK (
            ARRAY [from_account, to_account] <@ ARRAY ['available', 'held', 'sold', 'loaded',
                'redeemed', 'refunded', 'expired', 'lost']
        )
    )
    """,
    "CREATE INDEX gift_entry_posted ON gift_entry USING brin (posted_at)",
    """
    CREATE VIEW gift_entry_leg AS
    SELECT gift_card_id, version, cause_id, hold_id, posted_at, from_account AS account,
        -amount_minor AS amount_minor
    FROM gift_entry
    UNION ALL
    SELECT gift_card_id, version, cause_id, hold_id, posted_at, to_account, amount_minor
    FROM gift_entry
    """,
    """
    CREATE TABLE gift_hold (
        hold_id uuid PRIMARY KEY,
        gift_card_id uuid NOT NULL REFERENCES gift_card,
        amount_minor bigint NOT NULL,
        opened_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        opened_by text NOT NULL,
        store_id text,
        state text NOT NULL,
        captured_minor bigint NOT NULL,
        lost_minor bigint NOT NULL,
        refunded_minor bigint NOT NULL,
        returned_minor bigint NOT NULL,
        receipt_id uuid,
        CONSTRAINT gift_hold_amount CHECK (amount_minor > 0),
        CONSTRAINT gift_hold_state CHECK (state IN ('open', 'captured', 'released', 'expired')),
        CONSTRAINT gift_hold_captured CHECK (
            captured_minor BETWEEN 0 AND amount_minor AND (captured_minor = 0 OR state = 'captured')
        ),
        CONSTRAINT gift_hold_parts CHECK (
            lost_minor BETWEEN 0 AND captured_minor
            AND refunded_minor BETWEEN 0 AND captured_minor
            AND returned_minor BETWEEN 0 AND captured_minor
        )
    )
    """,
    "CREATE INDEX gift_hold_open ON gift_hold (expires_at) WHERE state = 'open'",
    "CREATE INDEX gift_hold_of_card ON gift_hold (gift_card_id) WHERE state = 'open'",
    "CREATE INDEX gift_hold_receipt ON gift_hold (receipt_id) WHERE receipt_id IS NOT NULL",
    "CREATE TABLE gift_receipt (receipt_id uuid PRIMARY KEY, revision integer NOT NULL)",
)


def upgrade() -> None:
    """Create everything."""
    for statement in UPGRADE:
        op.execute(statement)
    # As with points: our own processes add entries, and can not edit them.
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON gift_entry FROM {runtime_role()}")


def downgrade() -> None:
    """Drop everything."""
    op.execute("DROP VIEW gift_entry_leg")
    for table in ("gift_receipt", "gift_hold", "gift_entry", "gift_card"):
        op.drop_table(table)
