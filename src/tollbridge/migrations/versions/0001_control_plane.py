"""Users, keys, the catalogue and its change counter."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema forward."""
    _create_users()
    _create_channels()
    _create_accounts()
    _create_models()
    _create_prices()
    _create_api_keys()
    _create_site()
    _create_change()
    op.execute("INSERT INTO change (id, version) VALUES (1, 1)")


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("email_norm", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("group_name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('user', 'staff', 'admin')", name=op.f("ck_users_role")),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("email_norm", name=op.f("uq_users_email_norm")),
        sa.UniqueConstraint("wallet_id", name=op.f("uq_users_wallet_id")),
    )


def _create_channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("surfaces", sa.Text(), nullable=False),
        sa.Column("models", sa.Text(), nullable=False),
        sa.Column("multiplier_num", sa.BigInteger(), nullable=False),
        sa.Column("multiplier_den", sa.BigInteger(), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("client_policy", sa.String(length=16), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("proxy", sa.Text(), nullable=False),
        sa.Column("rpm", sa.Integer(), nullable=False),
        sa.Column("tpm", sa.BigInteger(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "platform IN ('openai', 'anthropic', 'gemini')", name=op.f("ck_channels_platform")
        ),
        sa.CheckConstraint(
            "multiplier_num > 0 AND multiplier_den > 0", name=op.f("ck_channels_multiplier")
        ),
        sa.CheckConstraint(
            "rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name=op.f("ck_channels_limits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_channels_name")),
    )


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("compatible", sa.Boolean(), nullable=False),
        sa.Column("proxy", sa.Text(), nullable=False),
        sa.Column("cost_num", sa.BigInteger(), nullable=False),
        sa.Column("cost_den", sa.BigInteger(), nullable=False),
        sa.Column("stops_on_abort", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("cost_num >= 0 AND cost_den > 0", name=op.f("ck_accounts_cost")),
        sa.CheckConstraint("weight > 0", name=op.f("ck_accounts_weight")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_accounts_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("channel_id", "name", name=op.f("uq_accounts_channel_id_name")),
    )


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("context", sa.BigInteger(), nullable=False),
        sa.Column("max_output", sa.BigInteger(), nullable=False),
        sa.Column("sizes", sa.Text(), nullable=False),
        sa.Column("n_max", sa.Integer(), nullable=False),
        sa.Column("prompt_max", sa.BigInteger(), nullable=False),
        sa.Column("text_max", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("context > 0 AND max_output > 0", name=op.f("ck_models_size")),
        sa.CheckConstraint(
            "n_max >= 0 AND prompt_max >= 0 AND text_max >= 0", name=op.f("ck_models_limits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("name", name=op.f("uq_models_name")),
    )


def _create_prices() -> None:
    op.create_table(
        "prices",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_ms", sa.BigInteger(), nullable=True),
        sa.Column("rates", sa.Text(), nullable=False),
        sa.Column("tiers", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_to_ms >= valid_from_ms", name=op.f("ck_prices_validity")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_prices_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
    )
    op.create_index(
        "ix_prices_model_id_valid_from_ms", "prices", ["model_id", "valid_from_ms"], unique=False
    )
    op.create_index(
        "uq_prices_open",
        "prices",
        ["model_id"],
        unique=True,
        sqlite_where=sa.text("valid_to_ms IS NULL"),
        postgresql_where=sa.text("valid_to_ms IS NULL"),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("last6", sa.String(length=6), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("limit_nano", sa.BigInteger(), nullable=True),
        sa.Column("limit_excess_nano", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("limit_purse_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("ips", sa.Text(), nullable=False),
        sa.Column("models", sa.Text(), nullable=False),
        sa.Column("may_pin", sa.Boolean(), nullable=False),
        sa.Column("rpm", sa.Integer(), nullable=False),
        sa.Column("tpm", sa.BigInteger(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "limit_nano >= 0 AND limit_excess_nano >= 0", name=op.f("ck_api_keys_limit_nano")
        ),
        sa.CheckConstraint(
            "limit_nano IS NULL OR limit_purse_id IS NOT NULL", name=op.f("ck_api_keys_limit_purse")
        ),
        sa.CheckConstraint(
            "rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name=op.f("ck_api_keys_limits")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_api_keys_channel_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_api_keys_user_id_name")),
    )


def _create_site() -> None:
    op.create_table(
        "site",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_site")),
    )


def _create_change() -> None:
    op.create_table(
        "change",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_change_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
