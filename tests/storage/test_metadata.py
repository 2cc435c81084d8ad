"""Proof that every constraint and index has a name, so that a later migration can reach it."""

from tollbridge.storage import (
    account_tables,
    ledger_tables,
    people_tables,
    query_tables,
    tables,
    work_tables,
)
from tollbridge.storage.metadata import metadata


def test_everything_has_a_name():
    assert tables.users.metadata is ledger_tables.purse.metadata is metadata
    assert work_tables.job.metadata is query_tables.call_index.metadata is metadata
    assert account_tables.account_tokens.metadata is people_tables.sessions.metadata is metadata
    for table in metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints), table.name
        assert all(index.name for index in table.indexes), table.name


def test_every_plane_is_in_it():
    assert set(metadata.tables) == {
        *("users", "channels", "accounts", "models", "prices", "api_keys", "site", "change"),
        *("purse", "hold", "usage", "usage_feed", "journal", "node", "ledger"),
        *("job", "lease", "alert", "call_index", "audit_mark", "audit_sum"),
        *("rollup", "rollup_dirty", "rollup_floor", "rollup_view", "rollup_view_floor"),
        *("account_tokens", "account_trouble", "access_tokens"),
        *("user_groups", "lot", "lot_use", "user_alert", "sink_feed"),
        *("sessions", "one_time", "door_counts", "recovery_codes", "external_identities"),
        *("bonus_marks", "invites", "redeem_codes", "announcements", "audit_log", "idempotency"),
    }
