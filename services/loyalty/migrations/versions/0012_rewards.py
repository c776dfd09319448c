"""Rewards: what a hold is the price of, and the stock of each."""

from alembic import op

revision = "0012"
down_revision = "0011"

UPGRADE = (
    """
    ALTER TABLE spend
        ADD COLUMN reward_id text,
        ADD COLUMN programme_version text,
        ADD COLUMN gift_card_minor bigint,
        ADD CONSTRAINT spend_reward CHECK (
            (reward_id IS NULL) = (programme_version IS NULL)
            AND (reward_id IS NULL OR taken IN (0, points))
            AND (gift_card_minor IS NULL OR reward_id IS NOT NULL AND gift_card_minor > 0)
        )
    """,
    """
    CREATE TABLE reward_stock (
        reward_id text PRIMARY KEY,
        stock bigint,
        taken bigint NOT NULL DEFAULT 0,
        CONSTRAINT reward_stock_counts CHECK (stock >= 0 AND taken >= 0)
    ) WITH (fillfactor = 50)
    """,
)


def upgrade() -> None:
    """Add them; holds so far are for no reward."""
    for statement in UPGRADE:
        op.execute(statement)
    _set_gift_accounts(", 'rewarded'")


def downgrade() -> None:
    """Take them away; refuses where a reward was taken: its hold would be one of mere points."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM spend WHERE reward_id IS NOT NULL) THEN
                RAISE EXCEPTION 'rewards were taken; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.drop_table("reward_stock")
    op.execute(
        """
        ALTER TABLE spend
            DROP CONSTRAINT spend_reward, DROP COLUMN reward_id, DROP COLUMN programme_version,
            DROP COLUMN gift_card_minor
        """
    )
    _set_gift_accounts("")


def _set_gift_accounts(more: str) -> None:
    """Say between which accounts gift money moves."""
    op.execute(
        f"""
        ALTER TABLE gift_entry
            DROP CONSTRAINT gift_entry_accounts,
            ADD CONSTRAINT gift_entry_accounts CHECK (
                ARRAY [from_account, to_account] <@ ARRAY ['available', 'held', 'sold', 'loaded',
                    'redeemed', 'refunded', 'expired', 'lost'{more}]
            )
        """
    )
