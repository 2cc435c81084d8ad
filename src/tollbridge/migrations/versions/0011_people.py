"""People: sessions, one-time links, second factors, sign-in elsewhere, codes, news, the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NOTHING = sa.text("''")


def upgrade() -> None:
    """Bring the schema forward."""
    _columns()
    _doors()
    _external()
    _codes()
    _office()


def _columns() -> None:
    for name, kind in (
        ("language", sa.String(8)),
        ("zone", sa.String(64)),
        ("verified_ms", sa.BigInteger()),
        ("terms_version", sa.String(32)),
        ("terms_ms", sa.BigInteger()),
        ("totp_secret", sa.Text()),
        ("totp_step", sa.BigInteger()),
    ):
        op.add_column("users", sa.Column(name, kind))
    op.add_column(
        "users", sa.Column("status_reason", sa.Text(), nullable=False, server_default=_NOTHING)
    )
    op.add_column("users", sa.Column("deleted_ms", sa.BigInteger()))
    for name, of in (
        ("old_hash", sa.LargeBinary()),
        ("old_last6", sa.String(6)),
        ("old_until_ms", sa.BigInteger()),
        ("deleted_ms", sa.BigInteger()),
    ):
        op.add_column("api_keys", sa.Column(name, of))
    op.create_index("uq_api_keys_old_hash", "api_keys", ["old_hash"], unique=True)


def _id() -> sa.Column[int]:
    return sa.Column("id", _ID, autoincrement=False, nullable=False)


def _doors() -> None:
    op.create_table(
        "sessions",
        _id(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.String(8), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("proved_ms", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.CheckConstraint("stage IN ('second', 'full')", name=op.f("ck_sessions_stage")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("hash", name=op.f("uq_sessions_hash")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "one_time",
        _id(),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_one_time_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time")),
        sa.UniqueConstraint("hash", name=op.f("uq_one_time_hash")),
    )
    op.create_index("ix_one_time_user_id", "one_time", ["user_id"])
    op.create_index("ix_one_time_expires_ms", "one_time", ["expires_ms"])
    op.create_table(
        "recovery_codes",
        _id(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "hash", name=op.f("uq_recovery_codes_user_id_hash")),
    )


def _external() -> None:
    op.create_table(
        "external_identities",
        _id(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_external_identities_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_identities")),
        sa.UniqueConstraint(
            "provider", "subject", name=op.f("uq_external_identities_provider_subject")
        ),
    )
    op.create_index("ix_external_identities_user_id", "external_identities", ["user_id"])
    op.create_table(
        "bonus_marks",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "mark", name=op.f("pk_bonus_marks")),
    )


def _codes() -> None:
    op.create_table(
        "invites",
        _id(),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("last6", sa.String(6), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("uses_max", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_by", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        sa.CheckConstraint("uses >= 0 AND uses <= uses_max", name=op.f("ck_invites_uses")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("hash", name=op.f("uq_invites_hash")),
    )
    op.create_table(
        "redeem_codes",
        _id(),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("last6", sa.String(6), nullable=False),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("credit_days", sa.Integer()),
        sa.Column("created_by", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        sa.Column("redeemed_by", sa.BigInteger()),
        sa.Column("redeemed_ms", sa.BigInteger()),
        sa.CheckConstraint("amount_nano > 0", name=op.f("ck_redeem_codes_amount")),
        sa.ForeignKeyConstraint(
            ["redeemed_by"], ["users.id"], name=op.f("fk_redeem_codes_redeemed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redeem_codes")),
        sa.UniqueConstraint("hash", name=op.f("uq_redeem_codes_hash")),
    )
    op.create_index("ix_redeem_codes_batch", "redeem_codes", ["batch"])
    op.create_index("ix_redeem_codes_redeemed_by", "redeem_codes", ["redeemed_by"])


def _office() -> None:
    op.create_table(
        "announcements",
        _id(),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("language", sa.String(8), nullable=False, server_default=_NOTHING),
        sa.Column("starts_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger()),
        sa.Column("created_by", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "level IN ('news', 'warning', 'incident')", name=op.f("ck_announcements_level")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
    )
    op.create_table(
        "audit_log",
        _id(),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("via", sa.String(8), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject_kind", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.BigInteger()),
        sa.Column("subject", sa.String(320), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_subject", "audit_log", ["subject_kind", "subject_id", "id"])
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor_id", "id"])
    op.create_index("ix_audit_log_action", "audit_log", ["action", "id"])
    op.create_table(
        "idempotency",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_ms", "idempotency", ["created_ms"])
    op.create_table(
        "door_counts",
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_door_counts")),
    )
    op.create_index("ix_door_counts_starts_ms", "door_counts", ["starts_ms"])
