"""Owns the tables of background work: jobs, leases and what operators are alerted of.

Times are milliseconds since 1970. Must not know what a job does.
"""

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tollbridge.storage.metadata import ID, metadata

job = Table(
    "job",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    # JSON; never a body of a call.
    Column("payload", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("run_at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("holder", BigInteger),
    Column("lease_until_ms", BigInteger),
    Column("error", String(200)),
    # At most one waiting or running job has the same text here.
    Column("dedupe", String(128)),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("dedupe"),
    CheckConstraint("state IN ('ready', 'running', 'dead')", name="state"),
    Index("ix_job_state_run_at_ms", "state", "run_at_ms"),
)

# Who may run a periodic job now.
lease = Table(
    "lease",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

# What users were told, so that nobody is told twice of one window. `key_id` 0 = the wallet.
user_alert = Table(
    "user_alert",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), primary_key=True),
    Column("window_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Usage rows that a sink outside has not yet been sent, in the order in which they came or changed.
sink_feed = Table(
    "sink_feed",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("tid", CHAR(32), nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    # What it is about: an account, a channel, a wallet, a disk; names only.
    Column("subject", String(128), nullable=False),
    Column("detail", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("notified_ms", BigInteger),
    Column("closed_ms", BigInteger),
    UniqueConstraint("kind", "subject"),
)
