"""Purses, holds, usage (by month on PostgreSQL), the journal and its nodes."""

import sqlalchemy as sa
from alembic import op

from tollbridge.core.clock import now_ms
from tollbridge.storage.partitions import create_partitions

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TID = sa.CHAR(length=32).with_variant(sa.CHAR(length=32, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the schema forward."""
    _create_purse()
    _create_hold()
    _create_usage()
    _create_journal()
    _create_node()
    _create_ledger()
    if op.get_bind().dialect.name == "postgresql":
        create_partitions(op.get_bind(), now_ms())
    op.execute("INSERT INTO ledger (id, incarnation) VALUES (1, 1)")


def _create_purse() -> None:
    op.create_table(
        "purse",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('wallet', 'key_limit')", name=op.f("ck_purse_kind")),
        sa.CheckConstraint("available >= 0", name=op.f("ck_purse_available")),
        sa.CheckConstraint("available >= held", name=op.f("ck_purse_covered")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_purse_held")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purse")),
        sa.UniqueConstraint(
            "kind", "owner_id", "period_start", name=op.f("uq_purse_kind_owner_id_period_start")
        ),
        postgresql_with={"fillfactor": "50"},
    )


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("tid", _TID, nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("key_purse_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("bill", sa.Text(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_hold_amount")),
        sa.CheckConstraint("covered >= 0", name=op.f("ck_hold_covered")),
        sa.PrimaryKeyConstraint("tid", name=op.f("pk_hold")),
        sqlite_with_rowid=False,
    )


def _create_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("tid", _TID, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("model_asked", sa.Text(), nullable=False),
        sa.Column("model_sent", sa.Text(), nullable=True),
        sa.Column("model_answered", sa.Text(), nullable=True),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=True),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error_kind", sa.String(length=64), nullable=True),
        sa.Column("end_state", sa.String(length=16), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("cache_read", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_5m", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("audio_input", sa.BigInteger(), nullable=False),
        sa.Column("audio_output", sa.BigInteger(), nullable=False),
        sa.Column("image_input", sa.BigInteger(), nullable=False),
        sa.Column("image_output", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.Text(), nullable=True),
        sa.Column("price_id", sa.BigInteger(), nullable=True),
        sa.Column("multiplier_num", sa.BigInteger(), nullable=False),
        sa.Column("multiplier_den", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("list_cost", sa.BigInteger(), nullable=False),
        sa.Column("own_cost", sa.BigInteger(), nullable=False),
        sa.Column("loss", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("first_token_ms", sa.BigInteger(), nullable=True),
        sa.Column("total_ms", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.String(length=40), nullable=True),
        sa.Column("attempts", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "charge >= 0 AND list_cost >= 0 AND own_cost >= 0 AND loss >= 0 AND held >= 0",
            name=op.f("ck_usage_money"),
        ),
        sa.PrimaryKeyConstraint("tid", name=op.f("pk_usage")),
        postgresql_partition_by="RANGE (tid)",
        sqlite_with_rowid=False,
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_journal_amount")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_journal_sides")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("kind", "ref", name=op.f("uq_journal_kind_ref")),
    )


def _create_node() -> None:
    op.create_table(
        "node",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
