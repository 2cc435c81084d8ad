"""Owns the tables made from usage and journal for questions: by the worker, off the call's path.

Everything here can be made again from the books. Must not know how it is filled.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.metadata import TID, metadata

# The secondary indexes that `usage` must not carry: find tids here, read their rows there.
call_index = Table(
    "call_index",
    metadata,
    Column("tid", TID, primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("key_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("charge", BigInteger, nullable=False),
    Index("ix_call_index_user_id_tid", "user_id", "tid"),
    Index("ix_call_index_key_id_tid", "key_id", "tid"),
    Index("ix_call_index_channel_id_tid", "channel_id", "tid"),
    Index("ix_call_index_user_id_model_tid", "user_id", "model", "tid"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (tid)",
)

# How far the books have been proved right, and what each account came to there.
audit_mark = Table(
    "audit_mark",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
audit_sum = Table(
    "audit_sum",
    metadata,
    Column("account", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
)

ROLLUP_GROUP = ("user_id", "key_id", "channel_id", "model", "status_class")
ROLLUP_COUNTS = ("calls", "answered", "client_faults", "first_token_calls")
ROLLUP_SUMS = (
    *TOKEN_BUCKETS,
    "reasoning",
    "charge",
    "list_cost",
    "own_cost",
    "loss",
    "first_token_sum_ms",
    "total_sum_ms",
)
ROLLUP_ITEMS = ("requests", "web_searches", "seconds", "characters", "images")
ROLLUP_BINS = ("first_token_bins", "total_bins")

# What all calls of a group came to in five minutes, an hour or a day (`span`, in seconds) of UTC.
rollup = Table(
    "rollup",
    metadata,
    Column("span", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("user_id", BigInteger, primary_key=True),
    Column("key_id", BigInteger, primary_key=True),
    Column("channel_id", BigInteger, primary_key=True),
    Column("model", Text, primary_key=True),
    # The first digit of the HTTP status; 9 for what is none.
    Column("status_class", Integer, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (*ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS)
    ),
    # Histograms of milliseconds, as core/histogram.py writes them.
    *(Column(name, Text, nullable=False) for name in ROLLUP_BINS),
    Index("ix_rollup_user_id_span_start_ms", "user_id", "span", "start_ms"),
    sqlite_with_rowid=False,
)

# The same sums of hours and days by fewer columns: `view` tells which (storage/rollup_views.py), and
# what it leaves out is 0 or ''. A user's rows of one view and span lie side by side, in order of time.
rollup_view = Table(
    "rollup_view",
    metadata,
    Column("view", Integer, primary_key=True),
    Column("user_id", BigInteger, primary_key=True),
    Column("span", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("key_id", BigInteger, primary_key=True),
    Column("channel_id", BigInteger, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("status_class", Integer, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (*ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS)
    ),
    *(Column(name, Text, nullable=False) for name in ROLLUP_BINS),
    sqlite_with_rowid=False,
)

# Slots of a span that begin before this have no rows in views yet; without a row here none has.
rollup_view_floor = Table(
    "rollup_view_floor",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, nullable=False),
)

# Slots whose rows may be behind what they are made from. `mark` is another number each time.
rollup_dirty = Table(
    "rollup_dirty",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", BigInteger, nullable=False),
    # Not before this: a slot that changes all the time is not made anew all the time.
    Column("due_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Rows of a span that begin before this were removed; none may be made from them any more.
rollup_floor = Table(
    "rollup_floor",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, nullable=False),
)
