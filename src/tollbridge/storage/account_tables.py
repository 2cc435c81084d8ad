"""Owns the tables beside accounts: tokens of those that signed in, and what is held against them.

Times are milliseconds since 1970. Must not know the tables of money.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, Text

from tollbridge.storage.metadata import ID, metadata

# How an account of kind 'oauth' proves itself. Secrets are sealed and bound to the row.
account_tokens = Table(
    "account_tokens",
    metadata,
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("token_url", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("client_secret", Text, nullable=False),
    Column("scope", Text, nullable=False),
    # How the token endpoint is asked: 'form' or 'json'.
    Column("style", String(8), nullable=False),
    Column("refresh", Text, nullable=False),
    Column("access", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    # Moves with every refresh, so that a late one cannot write over a newer token.
    Column("version", BigInteger, nullable=False),
    # The node that refreshes now, until when.
    Column("holder", BigInteger, nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
    Column("quarantined_until_ms", BigInteger, nullable=False),
    # A word of ours on what went wrong last, '' = nothing.
    Column("failure", Text, nullable=False),
)

# What each node holds against accounts now, for operators; the states themselves are in memory.
account_trouble = Table(
    "account_trouble",
    metadata,
    Column("node_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    # '' = all of its models.
    Column("model", String(256), primary_key=True),
    Column("trouble", String(16), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
