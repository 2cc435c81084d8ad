"""Owns the tables of money: purses, holds, usage and the journal (money.md, "Rows").

Amounts are nano-dollars, times milliseconds since 1970. Only `billing` and the money writers of
this package may touch them. Every secondary index here is paid for by every call, so there is none
but of what calls hardly ever write.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tollbridge.storage.metadata import ID, TID, metadata

purse = Table(
    "purse",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("owner_id", BigInteger, nullable=False),
    Column("period_start", BigInteger, nullable=False, server_default="0"),
    Column("available", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    # What a budget's period began with, changes included: spent = granted - available.
    Column("granted", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("kind", "owner_id", "period_start"),
    CheckConstraint("kind IN ('wallet', 'key_limit', 'key_budget')", name="kind"),
    CheckConstraint("available >= 0", name="available"),
    CheckConstraint("held >= 0", name="held"),
    CheckConstraint("available >= held", name="covered"),
    # Room on each page keeps the constant updates of a purse out of its indexes.
    postgresql_with={"fillfactor": "50"},
)

# One tree on SQLite instead of a table and an index: measured a fifth cheaper a call at batch 1.
hold = Table(
    "hold",
    metadata,
    Column("tid", TID, primary_key=True),
    Column("wallet_id", BigInteger, nullable=False),
    # The purses of the key besides (and `other_purse_id`): its limit, its budget, or both.
    Column("key_purse_id", BigInteger),
    Column("amount", BigInteger, nullable=False),
    Column("covered", BigInteger, nullable=False),
    Column("node_id", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("bill", Text, nullable=False),
    Column("other_purse_id", BigInteger),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("covered >= 0", name="covered"),
    sqlite_with_rowid=False,
)

_COUNTS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
)

# A tid sorts by time, so a month is a range of tids and the key alone stays unique everywhere.
usage = Table(
    "usage",
    metadata,
    Column("tid", TID, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("key_id", BigInteger, nullable=False),
    Column("key_name", Text, nullable=False),
    Column("wallet_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("channel_name", Text, nullable=False),
    Column("account_id", BigInteger),
    Column("model_asked", Text, nullable=False),
    Column("model_sent", Text),
    Column("model_answered", Text),
    Column("surface", String(16), nullable=False),
    Column("platform", String(16)),
    Column("stream", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error_kind", String(64)),
    Column("end_state", String(16), nullable=False),
    Column("flags", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in _COUNTS),
    Column("items", Text),
    Column("price_id", BigInteger),
    Column("multiplier_num", BigInteger, nullable=False),
    Column("multiplier_den", BigInteger, nullable=False),
    Column("charge", BigInteger, nullable=False),
    Column("list_cost", BigInteger, nullable=False),
    Column("own_cost", BigInteger, nullable=False),
    Column("loss", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("first_token_ms", BigInteger),
    Column("total_ms", BigInteger, nullable=False),
    Column("client", String(40)),
    Column("attempts", Text),
    # As the answer named it; null = the usual one.
    Column("service_tier", String(32)),
    # What the multiplier is made of where that is more than the channel's own, as JSON.
    Column("factors", Text),
    # What staff gave back of the charge, which itself stays as it was booked.
    Column("reversed", BigInteger, nullable=False, server_default="0"),
    CheckConstraint(
        "charge >= 0 AND list_cost >= 0 AND own_cost >= 0 AND loss >= 0 AND held >= 0",
        name="money",
    ),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (tid)",
)

# What the worker has not yet taken into the query tables: a row for every usage row that was made
# or changed, in the same transaction. A tid may stand here twice.
usage_feed = Table(
    "usage_feed",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("tid", TID, nullable=False),
)

# Charges are nearly all lines and are never looked for by account: a line of a call pays for one look
# at its kind.
_NO_CHARGE = text("kind <> 'charge'")

# Append-only double entry: one row is one transfer, so the books balance by construction.
journal = Table(
    "journal",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False, server_default="USD"),
    Column("kind", String(16), nullable=False),
    Column("ref", Text, nullable=False),
    UniqueConstraint("kind", "ref"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("debit <> credit", name="sides"),
    *(
        Index(
            f"ix_journal_{side}_id",
            side,
            "id",
            sqlite_where=_NO_CHARGE,
            postgresql_where=_NO_CHARGE,
        )
        for side in ("debit", "credit")
    ),
)

# Where credit came from and how much of it is left (money.md, "Money in and out").
lot = Table(
    "lot",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("wallet_id", BigInteger, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("ref", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    UniqueConstraint("origin", "ref"),
    CheckConstraint("amount > 0 AND remaining >= 0 AND remaining <= amount", name="remaining"),
    Index("ix_lot_wallet_id", "wallet_id"),
)

# What was spent of a lot on each day of UTC.
lot_use = Table(
    "lot_use",
    metadata,
    Column("lot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

node = Table(
    "node",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("dead", Boolean, nullable=False),
)

# One row: the incarnation moves when a backup is restored, and running nodes of the old one leave.
ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("incarnation", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
