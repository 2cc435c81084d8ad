"""Roll-ups of usage by five minutes, hour and day, and which of them are behind."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SUMS = (
    "calls",
    "answered",
    "client_faults",
    "first_token_calls",
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
    "reasoning",
    "charge",
    "list_cost",
    "own_cost",
    "loss",
    "first_token_sum_ms",
    "total_sum_ms",
    "requests",
    "web_searches",
    "seconds",
    "characters",
    "images",
)


def upgrade() -> None:
    """Bring the schema forward. The worker fills the tables from all that usage has."""
    op.create_table(
        "rollup",
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status_class", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.Column("first_token_bins", sa.Text(), nullable=False),
        sa.Column("total_bins", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "span",
            "start_ms",
            "user_id",
            "key_id",
            "channel_id",
            "model",
            "status_class",
            name=op.f("pk_rollup"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rollup_user_id_span_start_ms", "rollup", ["user_id", "span", "start_ms"])
    op.create_table(
        "rollup_dirty",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span", "start_ms", name=op.f("pk_rollup_dirty")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_floor",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span", name=op.f("pk_rollup_floor")),
    )
