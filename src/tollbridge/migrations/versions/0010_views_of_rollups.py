"""Views of roll-ups: the same sums by fewer columns, and from when on there are any."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
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
    """Bring the schema forward. The worker fills the table from the roll-ups that there are."""
    op.create_table(
        "rollup_view",
        sa.Column("view", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status_class", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.Column("first_token_bins", sa.Text(), nullable=False),
        sa.Column("total_bins", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "view",
            "user_id",
            "span",
            "start_ms",
            "key_id",
            "channel_id",
            "model",
            "status_class",
            name=op.f("pk_rollup_view"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_view_floor",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span", name=op.f("pk_rollup_view_floor")),
    )
