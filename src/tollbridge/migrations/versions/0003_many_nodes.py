"""Budgets, limits of users and accounts, background work, alerts, and the tables for questions."""

import sqlalchemy as sa
from alembic import op

from tollbridge.core.clock import now_ms
from tollbridge.storage.partitions import create_partitions

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TID = sa.CHAR(length=32).with_variant(sa.CHAR(length=32, collation="C"), "postgresql")
_PURSE_KINDS = "kind IN ('wallet', 'key_limit', 'key_budget')"


def upgrade() -> None:
    """Bring the schema forward."""
    _widen_purse()
    op.add_column("hold", sa.Column("other_purse_id", sa.BigInteger(), nullable=True))
    for table in ("users", "accounts"):
        _add_limits(table)
    op.add_column("api_keys", sa.Column("budget_nano", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("budget_period", sa.String(length=8), nullable=True))
    _create_usage_feed()
    _create_job()
    _create_lease()
    _create_alert()
    _create_call_index()
    _create_audit()
    # What stood in the books before has to be found in the query tables too.
    op.execute("INSERT INTO usage_feed (tid) SELECT tid FROM usage ORDER BY tid")


def _widen_purse() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.add_column(
            "purse", sa.Column("granted", sa.BigInteger(), server_default="0", nullable=False)
        )
        op.drop_constraint(op.f("ck_purse_kind"), "purse", type_="check")
        op.create_check_constraint(op.f("ck_purse_kind"), "purse", _PURSE_KINDS)
        return
    # SQLite cannot change a constraint: the table is made anew under the name.
    op.create_table(
        "purse_new",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(_PURSE_KINDS, name=op.f("ck_purse_kind")),
        sa.CheckConstraint("available >= 0", name=op.f("ck_purse_available")),
        sa.CheckConstraint("available >= held", name=op.f("ck_purse_covered")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_purse_held")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purse")),
        sa.UniqueConstraint(
            "kind", "owner_id", "period_start", name=op.f("uq_purse_kind_owner_id_period_start")
        ),
    )
    op.execute(
        "INSERT INTO purse_new (id, kind, owner_id, period_start, available, held)"
        " SELECT id, kind, owner_id, period_start, available, held FROM purse"
    )
    op.drop_table("purse")
    op.rename_table("purse_new", "purse")


def _add_limits(table: str) -> None:
    for name, kind in (
        ("rpm", sa.Integer()),
        ("tpm", sa.BigInteger()),
        ("concurrency", sa.Integer()),
    ):
        op.add_column(table, sa.Column(name, kind, server_default="0", nullable=False))


def _create_usage_feed() -> None:
    op.create_table(
        "usage_feed",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tid", _TID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_feed")),
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("run_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=True),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("dedupe", sa.String(length=128), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('ready', 'running', 'dead')", name=op.f("ck_job_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_job_dedupe")),
    )
    op.create_index("ix_job_state_run_at_ms", "job", ["state", "run_at_ms"])


def _create_lease() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("notified_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_alert_kind_subject")),
    )


def _create_call_index() -> None:
    op.create_table(
        "call_index",
        sa.Column("tid", _TID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tid", name=op.f("pk_call_index")),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (tid)",
    )
    for columns in (
        ["user_id", "tid"],
        ["key_id", "tid"],
        ["channel_id", "tid"],
        ["user_id", "model", "tid"],
    ):
        op.create_index(f"ix_call_index_{'_'.join(columns)}", "call_index", columns)
    if op.get_bind().dialect.name == "postgresql":
        create_partitions(op.get_bind(), now_ms(), "call_index")


def _create_audit() -> None:
    op.create_table(
        "audit_mark",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_mark")),
    )
    op.create_table(
        "audit_sum",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_audit_sum")),
    )
