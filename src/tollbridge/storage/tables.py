"""Owns the tables of the control plane: users, keys, the catalogue and its change counter.

Lists and maps are JSON in text columns, because they are read whole. Money is nano-dollars, times
are milliseconds since 1970. Must not know the tables of money (`ledger_tables`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from tollbridge.storage.metadata import ID, metadata

users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("email", String(320), nullable=False),
    Column("email_norm", String(320), nullable=False),
    Column("role", String(16), nullable=False),
    Column("group_name", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("password_hash", Text),
    # The wallet is a purse of the ledger, which is why no foreign key reaches for it.
    Column("wallet_id", BigInteger, nullable=False),
    Column("rpm", Integer, nullable=False, server_default="0"),
    Column("tpm", BigInteger, nullable=False, server_default="0"),
    Column("concurrency", Integer, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    # Null = not bound to Telegram.
    Column("telegram_id", BigInteger),
    # What the user wants to be told about: spending of a period, a balance that gets low. Null = not.
    Column("budget_nano", BigInteger),
    Column("budget_period", String(8)),
    Column("low_balance_nano", BigInteger),
    # Null = not chosen: the browser's language, and UTC.
    Column("language", String(8)),
    Column("zone", String(64)),
    # Null = nobody has shown yet that the address is theirs.
    Column("verified_ms", BigInteger),
    # Which terms were agreed to, and when.
    Column("terms_version", String(32)),
    Column("terms_ms", BigInteger),
    # Sealed, null = no second factor; and the last half minute whose code was taken.
    Column("totp_secret", Text),
    Column("totp_step", BigInteger),
    # Why the user is suspended; '' = not.
    Column("status_reason", Text, nullable=False, server_default=text("''")),
    # The account was deleted: only what the books need is left of it.
    Column("deleted_ms", BigInteger),
    UniqueConstraint("email"),
    UniqueConstraint("email_norm"),
    UniqueConstraint("wallet_id"),
    CheckConstraint("role IN ('user', 'staff', 'admin')", name="role"),
    CheckConstraint("status IN ('active', 'suspended')", name="status"),
    Index("uq_users_telegram_id", "telegram_id", unique=True),
)

channels = Table(
    "channels",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("name", String(64), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("surfaces", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("multiplier_num", BigInteger, nullable=False),
    Column("multiplier_den", BigInteger, nullable=False),
    Column("capabilities", Text, nullable=False),
    Column("client_policy", String(16), nullable=False),
    Column("groups", Text, nullable=False),
    # Sealed, because a proxy's address may carry a password; '' = direct.
    Column("proxy", Text, nullable=False),
    Column("rpm", Integer, nullable=False),
    Column("tpm", BigInteger, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("mapping", Text, nullable=False, server_default="{}"),
    # Only for users who are bound to Telegram.
    Column("requires_telegram", Boolean, nullable=False, server_default=false()),
    # Hours of the day with a factor of their own, as JSON; '{}' = none.
    Column("peak", Text, nullable=False, server_default="{}"),
    UniqueConstraint("name"),
    CheckConstraint("multiplier_num > 0 AND multiplier_den > 0", name="multiplier"),
    CheckConstraint("platform IN ('openai', 'anthropic', 'gemini')", name="platform"),
    CheckConstraint("rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name="limits"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("channel_id", BigInteger, ForeignKey("channels.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("base_url", Text, nullable=False),
    # Sealed and bound to this row; '' = no secret, so that the account cannot be used.
    Column("secret", Text, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("compatible", Boolean, nullable=False),
    # Sealed like the channel's; '' = the channel's.
    Column("proxy", Text, nullable=False),
    Column("cost_num", BigInteger, nullable=False),
    Column("cost_den", BigInteger, nullable=False),
    Column("stops_on_abort", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("rpm", Integer, nullable=False, server_default="0"),
    Column("tpm", BigInteger, nullable=False, server_default="0"),
    Column("concurrency", Integer, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    Column("mapping", Text, nullable=False, server_default="{}"),
    # Sealed, because a header may be a credential; '' = none.
    Column("headers", Text, nullable=False, server_default=text("''")),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("params_drop", Text, nullable=False, server_default="[]"),
    # 'secret', or 'oauth': then what is sent is in `account_tokens`.
    Column("auth", String(8), nullable=False, server_default="secret"),
    # When an operator last said that it is well: what was held against it before is void.
    Column("recovered_ms", BigInteger, nullable=False, server_default="0"),
    # '' = in use; else why the gateway or an operator took it out until somebody looks.
    Column("disabled_reason", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("channel_id", "name"),
    CheckConstraint("weight > 0", name="weight"),
    CheckConstraint("cost_num >= 0 AND cost_den > 0", name="cost"),
)

models = Table(
    "models",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("name", String(256), nullable=False),
    Column("context", BigInteger, nullable=False),
    Column("max_output", BigInteger, nullable=False),
    Column("sizes", Text, nullable=False),
    # 0 = no limit of ours.
    Column("n_max", Integer, nullable=False),
    Column("prompt_max", BigInteger, nullable=False),
    Column("text_max", BigInteger, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("efforts", Text, nullable=False, server_default="[]"),
    UniqueConstraint("name"),
    CheckConstraint("context > 0 AND max_output > 0", name="size"),
    CheckConstraint("n_max >= 0 AND prompt_max >= 0 AND text_max >= 0", name="limits"),
)

# Append-only: a price never changes, it ends; usage rows point at the one that they were charged by.
prices = Table(
    "prices",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("model_id", BigInteger, ForeignKey("models.id"), nullable=False),
    Column("valid_from_ms", BigInteger, nullable=False),
    Column("valid_to_ms", BigInteger),
    Column("rates", Text, nullable=False),
    Column("tiers", Text, nullable=False),
    Column("items", Text, nullable=False),
    # Rates of service tiers, by the name that answers give them.
    Column("services", Text, nullable=False, server_default="{}"),
    CheckConstraint("valid_to_ms >= valid_from_ms", name="validity"),
    Index("ix_prices_model_id_valid_from_ms", "model_id", "valid_from_ms"),
    Index(
        "uq_prices_open",
        "model_id",
        unique=True,
        sqlite_where=text("valid_to_ms IS NULL"),
        postgresql_where=text("valid_to_ms IS NULL"),
    ),
)

# Sets of users with a factor on their prices; a group without a row has none.
user_groups = Table(
    "user_groups",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("factor_num", BigInteger, nullable=False),
    Column("factor_den", BigInteger, nullable=False),
    CheckConstraint("factor_num > 0 AND factor_den > 0", name="factor"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("last6", String(6), nullable=False),
    # Null = auto: any channel that serves the model and that the user may choose.
    Column("channel_id", BigInteger, ForeignKey("channels.id")),
    Column("enabled", Boolean, nullable=False),
    # Null = no limit. The purse stays when a limit is taken away; it is not used then.
    Column("limit_nano", BigInteger),
    # What a lowered limit could not take back because it was spent already.
    Column("limit_excess_nano", BigInteger, nullable=False, server_default="0"),
    Column("limit_purse_id", BigInteger),
    # Null = no budget. Each period has a purse of its own.
    Column("budget_nano", BigInteger),
    Column("budget_period", String(8)),
    Column("expires_ms", BigInteger),
    Column("ips", Text, nullable=False),
    # '[]' = every model of the channel.
    Column("models", Text, nullable=False),
    Column("may_pin", Boolean, nullable=False),
    Column("rpm", Integer, nullable=False),
    Column("tpm", BigInteger, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # The secret before the last rotation, which is taken until then.
    Column("old_hash", LargeBinary),
    Column("old_last6", String(6)),
    Column("old_until_ms", BigInteger),
    # Deleted keys keep their row: usage points at it.
    Column("deleted_ms", BigInteger),
    UniqueConstraint("user_id", "name"),
    UniqueConstraint("hash"),
    Index("uq_api_keys_old_hash", "old_hash", unique=True),
    CheckConstraint("limit_nano >= 0 AND limit_excess_nano >= 0", name="limit_nano"),
    CheckConstraint("limit_nano IS NULL OR limit_purse_id IS NOT NULL", name="limit_purse"),
    CheckConstraint("rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name="limits"),
)

# Personal access tokens of the control plane's API: whose, and what they may do.
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("last6", String(6), nullable=False),
    # A list of scopes, as JSON.
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("used_ms", BigInteger),
    UniqueConstraint("hash"),
    Index("ix_access_tokens_user_id", "user_id"),
)

site = Table(
    "site",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# One row: moves with every change of the tables above, so that running servers notice.
change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
