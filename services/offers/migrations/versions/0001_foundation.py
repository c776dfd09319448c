"""Profiles, catalogue copy, campaigns, wallets."""

from alembic import op

from shared.db import plumbing

revision = "0001"
down_revision = None

SUMS = """
    purchases bigint NOT NULL,
    weight double precision NOT NULL,
    lines bigint NOT NULL,
    discounted_lines bigint NOT NULL,
    quantity_milli bigint NOT NULL,
    spend_minor bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
"""

# Rows of sums are updated with every purchase: free space in each page keeps those updates on
# their page and out of the index (HOT).
PROFILES = (
    """CREATE TABLE receipt (
        receipt_id uuid PRIMARY KEY,
        revision integer NOT NULL,
        member_id uuid,
        bought_at timestamptz NOT NULL,
        currency text NOT NULL,
        lines jsonb NOT NULL,
        offer_ids uuid[] NOT NULL
    )""",
    "CREATE INDEX receipt_member ON receipt (member_id) WHERE member_id IS NOT NULL",
    f"""CREATE TABLE member_total (
        member_id uuid PRIMARY KEY, {SUMS}
    ) WITH (fillfactor = 80)""",
    f"""CREATE TABLE member_product (
        member_id uuid, sku text, category text, {SUMS},
        PRIMARY KEY (member_id, sku)
    ) WITH (fillfactor = 80)""",
    f"""CREATE TABLE member_category (
        member_id uuid, category text, {SUMS},
        PRIMARY KEY (member_id, category)
    ) WITH (fillfactor = 80)""",
    """CREATE TABLE popularity (
        sku text PRIMARY KEY,
        weight double precision NOT NULL,
        share double precision NOT NULL,
        spend_minor bigint NOT NULL,
        quantity_milli bigint NOT NULL,
        purchases bigint NOT NULL
    )""",
    "CREATE INDEX popularity_best ON popularity (share DESC, sku)",
    """CREATE TABLE popularity_refresh (
        singleton boolean PRIMARY KEY,
        refreshed_at timestamptz NOT NULL,
        CONSTRAINT popularity_refresh_one_row CHECK (singleton)
    )""",
)

REFERENCE = (
    """CREATE TABLE product (
        sku text PRIMARY KEY,
        version bigint NOT NULL,
        name text NOT NULL,
        category text,
        brand text,
        cost_minor bigint,
        currency text
    )""",
    """CREATE TABLE store (
        store_id text PRIMARY KEY,
        version bigint NOT NULL,
        name text NOT NULL,
        time_zone text NOT NULL
    )""",
    """CREATE TABLE member (
        member_id uuid PRIMARY KEY,
        version bigint NOT NULL,
        status text NOT NULL
    )""",
)

WALLETS = (
    """CREATE TABLE campaign (
        code text PRIMARY KEY,
        status text NOT NULL,
        draft jsonb NOT NULL,
        published jsonb,
        updated_at timestamptz NOT NULL,
        published_at timestamptz,
        CONSTRAINT campaign_status CHECK (status IN ('draft', 'published'))
    )""",
    """CREATE TABLE campaign_run (
        code text,
        period text,
        state text NOT NULL,
        pass_no integer NOT NULL,
        as_of timestamptz NOT NULL,
        cursor uuid,
        members_left bigint NOT NULL,
        offers bigint NOT NULL,
        budget_minor bigint NOT NULL,
        spent_minor bigint NOT NULL,
        finished_at timestamptz,
        PRIMARY KEY (code, period),
        CONSTRAINT campaign_run_state CHECK (state IN ('running', 'done')),
        CONSTRAINT campaign_run_budget CHECK (spent_minor <= budget_minor)
    )""",
    """CREATE TABLE offer (
        offer_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        campaign text NOT NULL,
        period text NOT NULL,
        slot integer NOT NULL,
        kind text NOT NULL,
        title text NOT NULL,
        reason text NOT NULL,
        sku text,
        category text,
        product_name text,
        percent integer,
        amount_minor bigint,
        currency text NOT NULL,
        margin_floor_percent integer,
        expected_cost_minor bigint NOT NULL,
        valid_from timestamptz NOT NULL,
        valid_until timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'issued',
        version integer NOT NULL DEFAULT 1,
        redeemed_by uuid,
        redeemed_at timestamptz,
        discount_minor bigint,
        CONSTRAINT offer_once_per_slot UNIQUE (member_id, campaign, period, slot),
        CONSTRAINT offer_state CHECK (state IN ('issued', 'redeemed')),
        CONSTRAINT offer_redeemed CHECK ((state = 'redeemed') = (redeemed_by IS NOT NULL)),
        CONSTRAINT offer_target CHECK ((sku IS NULL) <> (category IS NULL)),
        CONSTRAINT offer_discount CHECK ((percent IS NULL) <> (amount_minor IS NULL))
    )""",
    """CREATE TABLE offer_claim (
        offer_id uuid,
        receipt_id uuid,
        member_id uuid,
        occurred_at timestamptz NOT NULL,
        outcome text NOT NULL,
        discount_minor bigint NOT NULL,
        PRIMARY KEY (offer_id, receipt_id)
    )""",
)


def upgrade() -> None:
    """Create everything."""
    plumbing.create_v1(op)
    for statement in (*PROFILES, *REFERENCE, *WALLETS):
        op.execute(statement)


def downgrade() -> None:
    """Drop everything."""
    tables = (
        "offer_claim, offer, campaign_run, campaign, member, store, product, popularity_refresh,"
        " popularity, member_category, member_product, member_total, receipt"
    )
    op.execute(f"DROP TABLE {tables}")
    plumbing.drop_v1(op)
