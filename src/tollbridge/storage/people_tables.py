"""Owns the tables of people: sessions, one-time links, sign-in elsewhere, codes, news, the audit log.

Whatever opens a door is stored as an HMAC (`core.secrets.Secrets.mark`), never as it is. Money is
nano-dollars, times are milliseconds since 1970. Must not know `ledger_tables`.
"""

from sqlalchemy import (
    BigInteger,
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
    text,
)

from tollbridge.storage.metadata import ID, metadata

# Where somebody is signed in in a browser. Gone when it ends.
sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # 'second' until the second factor was shown, then 'full'.
    Column("stage", String(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    # When its owner last proved to be the owner: password, second factor, or a provider's word.
    Column("proved_ms", BigInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    UniqueConstraint("hash"),
    CheckConstraint("stage IN ('second', 'full')", name="stage"),
    Index("ix_sessions_user_id", "user_id"),
)

# What a link in a mail, or a browser on its way to another site and back, stands for.
one_time = Table(
    "one_time",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("purpose", String(16), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Null = of nobody who has an account yet.
    Column("user_id", BigInteger, ForeignKey("users.id")),
    # JSON; what it means is the purpose's.
    Column("data", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    UniqueConstraint("hash"),
    Index("ix_one_time_user_id", "user_id"),
    Index("ix_one_time_expires_ms", "expires_ms"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("used_ms", BigInteger),
    UniqueConstraint("user_id", "hash"),
)

# Who somebody is at another site, by that site's own id of the person.
external_identities = Table(
    "external_identities",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("email", String(320), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("provider", "subject"),
    Index("ix_external_identities_user_id", "user_id"),
)

# Who has had a bonus, by a keyed hash: it outlives the account (S0-bonus).
bonus_marks = Table(
    "bonus_marks",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("mark", LargeBinary, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("last6", String(6), nullable=False),
    Column("note", String(200), nullable=False),
    Column("uses_max", Integer, nullable=False),
    Column("uses", Integer, nullable=False, server_default="0"),
    Column("created_by", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("hash"),
    CheckConstraint("uses >= 0 AND uses <= uses_max", name="uses"),
)

redeem_codes = Table(
    "redeem_codes",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("last6", String(6), nullable=False),
    # What it was made for, the same for all of one making.
    Column("batch", String(64), nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    # How many days the credit lasts once it is redeemed. Null = for ever.
    Column("credit_days", Integer),
    Column("created_by", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("redeemed_by", BigInteger, ForeignKey("users.id")),
    Column("redeemed_ms", BigInteger),
    UniqueConstraint("hash"),
    CheckConstraint("amount_nano > 0", name="amount"),
    Index("ix_redeem_codes_batch", "batch"),
    Index("ix_redeem_codes_redeemed_by", "redeemed_by"),
)

announcements = Table(
    "announcements",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("level", String(16), nullable=False),
    Column("title", String(200), nullable=False),
    # Markdown without HTML.
    Column("body", Text, nullable=False),
    # '' = for readers of every language.
    Column("language", String(8), nullable=False, server_default=text("''")),
    Column("starts_ms", BigInteger, nullable=False),
    Column("ends_ms", BigInteger),
    Column("created_by", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("level IN ('news', 'warning', 'incident')", name="level"),
)

# Append-only: who of the operators did what to whom, and why. Never a secret.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    # Null = the machine's own shell.
    Column("actor_id", BigInteger),
    Column("actor", String(320), nullable=False),
    # 'console', 'api' or 'shell'.
    Column("via", String(8), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject_kind", String(32), nullable=False),
    Column("subject_id", BigInteger),
    Column("subject", String(320), nullable=False),
    # JSON: reason, and what was there before and after.
    Column("detail", Text, nullable=False),
    Index("ix_audit_log_subject", "subject_kind", "subject_id", "id"),
    Index("ix_audit_log_actor_id", "actor_id", "id"),
    Index("ix_audit_log_action", "action", "id"),
)

# Answers to writes that move money, so that a repeated request moves none (`Idempotency-Key`).
idempotency = Table(
    "idempotency",
    metadata,
    Column("user_id", BigInteger, primary_key=True),
    Column("name", String(128), primary_key=True),
    # HMAC of method, path and body: the same name for another request is a mistake.
    Column("request", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_idempotency_created_ms", "created_ms"),
)

# How often somebody knocked at a door in the hour or day that began then; see `identity.doors`.
door_counts = Table(
    "door_counts",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("starts_ms", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_door_counts_starts_ms", "starts_ms"),
)
