"""Proof of the table: every kind of error is somebody's, and an answer is nobody's fault."""

import pytest

from tollbridge.core.errors import CATALOGUE, Kind
from tollbridge.core.outcomes import CLIENT_KINDS, answered, client_fault

OURS = {
    Kind.CHANNEL_DISABLED,
    Kind.MODEL_UNPRICED,
    Kind.NO_ACCOUNT,
    Kind.RATE_LIMITED,
    Kind.PROVIDER_RATE_LIMITED,
    Kind.UPSTREAM_FAILED,
    Kind.UPSTREAM_TIMEOUT,
    Kind.STREAM_BROKEN,
    Kind.DRAINING,
    Kind.DATABASE_DOWN,
    Kind.INTERNAL,
}


def test_every_kind_is_the_clients_or_ours():
    assert {*Kind} == CLIENT_KINDS | OURS
    assert not CLIENT_KINDS & OURS


def test_what_clients_cause_has_a_status_that_says_so():
    assert {CATALOGUE[kind].status // 100 for kind in CLIENT_KINDS} == {4}


@pytest.mark.parametrize(
    ("state", "kind", "good", "by_client"),
    [
        ("complete", None, True, False),
        ("limited", None, True, False),
        # A session that ended well is an answer, whatever was said at its end.
        ("complete", "invalid_request", True, False),
        ("client_gone", None, False, True),
        ("refused", "balance_insufficient", False, True),
        ("refused", "no_account", False, False),
        ("refused", "rate_limited", False, False),
        ("upstream_error", "upstream_bad_request", False, True),
        ("upstream_error", "upstream_timeout", False, False),
        ("partial", None, False, False),
        ("empty", "upstream_failed", False, False),
        ("withheld", "database_down", False, False),
        ("database_lost", "database_down", False, False),
        ("reclaimed", "internal", False, False),
        ("a later version's", "a later version's", False, False),
    ],
)
def test_ends(state: str, kind: str | None, good: bool, by_client: bool):
    assert (answered(state), client_fault(state, kind)) == (good, by_client)
