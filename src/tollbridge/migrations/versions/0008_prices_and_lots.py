"""Service tiers, peak hours and groups of users in prices; reversals; lots; alerts of users; sinks."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema forward; what a wallet holds now becomes its first lot."""
    op.add_column("prices", sa.Column("services", sa.Text(), server_default="{}", nullable=False))
    op.add_column("channels", sa.Column("peak", sa.Text(), server_default="{}", nullable=False))
    op.add_column("usage", sa.Column("service_tier", sa.String(32), nullable=True))
    op.add_column("usage", sa.Column("factors", sa.Text(), nullable=True))
    op.add_column(
        "usage", sa.Column("reversed", sa.BigInteger(), server_default="0", nullable=False)
    )
    for name, kind in (
        ("budget_nano", sa.BigInteger()),
        ("budget_period", sa.String(8)),
        ("low_balance_nano", sa.BigInteger()),
    ):
        op.add_column("users", sa.Column(name, kind, nullable=True))
    op.create_table(
        "user_groups",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("factor_num", sa.BigInteger(), nullable=False),
        sa.Column("factor_den", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_groups")),
        sa.CheckConstraint("factor_num > 0 AND factor_den > 0", name=op.f("ck_user_groups_factor")),
    )
    _lots()
    op.create_table(
        "user_alert",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("window_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "key_id", "kind", "window_ms", name=op.f("pk_user_alert")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sink_feed",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tid", sa.CHAR(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sink_feed")),
    )


def _lots() -> None:
    op.create_table(
        "lot",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint("origin", "ref", name=op.f("uq_lot_origin_ref")),
        sa.CheckConstraint(
            "amount > 0 AND remaining >= 0 AND remaining <= amount", name=op.f("ck_lot_remaining")
        ),
    )
    op.create_index("ix_lot_wallet_id", "lot", ["wallet_id"])
    op.create_table(
        "lot_use",
        sa.Column("lot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lot_id", "day_ms", name=op.f("pk_lot_use")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO lot (id, wallet_id, origin, ref, amount, remaining, created_ms)"
        " SELECT id, id, 'opening', CAST(id AS TEXT), available, available, 0 FROM purse"
        " WHERE kind = 'wallet' AND available > 0"
    )
