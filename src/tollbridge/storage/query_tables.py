"""Owns the tables made from usage and journal for questions: by the worker, off the call's path.

Everything here can be made again from the books. Must not know how it is filled.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

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
