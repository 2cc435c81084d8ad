"""The account pool: signed-in accounts, what is held against accounts, and access tokens of the API."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NOTHING = sa.text("''")


def upgrade() -> None:
    """Bring the schema forward."""
    _columns()
    op.create_table(
        "account_tokens",
        sa.Column("account_id", _ID, autoincrement=False, nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_secret", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("style", sa.String(8), nullable=False),
        sa.Column("refresh", sa.Text(), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=False),
        sa.Column("held_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("quarantined_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_tokens_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_tokens")),
    )
    op.create_table(
        "account_trouble",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("trouble", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "node_id", "account_id", "model", "trouble", name=op.f("pk_account_trouble")
        ),
        sqlite_with_rowid=False,
    )
    _access_tokens()


def _columns() -> None:
    for name, kind, nothing in (
        ("auth", sa.String(8), "secret"),
        ("recovered_ms", sa.BigInteger(), "0"),
        ("disabled_reason", sa.Text(), _NOTHING),
    ):
        op.add_column("accounts", sa.Column(name, kind, server_default=nothing, nullable=False))
    op.add_column(
        "channels",
        sa.Column("requires_telegram", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("users", sa.Column("telegram_id", sa.BigInteger(), nullable=True))
    op.create_index("uq_users_telegram_id", "users", ["telegram_id"], unique=True)


def _access_tokens() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("last6", sa.String(6), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_access_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_access_tokens_hash")),
    )
    op.create_index("ix_access_tokens_user_id", "access_tokens", ["user_id"])
