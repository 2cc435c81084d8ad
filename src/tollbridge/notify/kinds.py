"""Owns what operators are alerted of: the kinds, their words, and what to do about each. Pure.

The words are ours alone: ids, names and amounts in dollars; never a body, a secret or what an
upstream said.
"""

from enum import StrEnum
from typing import NamedTuple

from tollbridge.core.redaction import clipped, mask_secrets, one_line
from tollbridge.storage.alerts import SUBJECT_MAX

_DETAIL_MAX = 1000
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


class Kind(StrEnum):
    """What may be wrong; docs/alerts.md has a line for each."""

    ACCOUNT_DISABLED = "account_disabled"
    POOL_EMPTY = "pool_empty"
    OPERATOR_LOSS = "operator_loss"
    IMBALANCE = "imbalance"
    DEAD_JOBS = "dead_jobs"
    DISK_LOW = "disk_low"
    NODE_DEAD = "node_dead"
    SINK_BEHIND = "sink_behind"


class Rule(NamedTuple):
    """How a kind is told. `quiet_ms`: closed when not raised for so long; None: a check closes it."""

    title: str
    todo: str
    quiet_ms: int | None

    @property
    def counts(self) -> bool:
        """Whether it happens again and again, rather than being so for a while."""
        return self.quiet_ms is not None


RULES: dict[Kind, Rule] = {
    Kind.ACCOUNT_DISABLED: Rule(
        "Account disabled",
        "The upstream does not accept its credential any more. Put a working credential into the"
        " configuration, or take the account out of it; the channel's other accounts serve on.",
        _DAY_MS,
    ),
    Kind.POOL_EMPTY: Rule(
        "Channel without an account to try",
        "Calls on this channel are refused. Look whether its accounts are disabled or cooling"
        " down, then add an account or raise the limits of those there are.",
        15 * _MINUTE_MS,
    ),
    Kind.OPERATOR_LOSS: Rule(
        "Cost that no wallet covered",
        "A call cost more than its hold and its wallet had. Compare max_output and the prices of"
        " the model with what the upstream bills; the receipt of the call shows its figures.",
        _DAY_MS,
    ),
    Kind.IMBALANCE: Rule(
        "The books do not balance",
        "Do not restart and do not repair by hand. Keep a copy of the database, run"
        " `tollbridge ledger verify`, and compare with the last backup.",
        None,
    ),
    Kind.DEAD_JOBS: Rule(
        "Jobs were given up",
        "`tollbridge jobs list` shows them and why. Remove the cause, then let them run again with"
        " `tollbridge jobs revive`. Dead mail or webhook jobs are messages that nobody has got.",
        None,
    ),
    Kind.DISK_LOW: Rule(
        "Disk almost full",
        "Free space or enlarge the disk under the database; below min_free_disk_bytes no new"
        " call is taken.",
        None,
    ),
    Kind.NODE_DEAD: Rule(
        "A node died",
        "Its calls were charged as far as they had come and their holds freed. Look at that"
        " machine and process; the other nodes serve on.",
        _HOUR_MS,
    ),
    Kind.SINK_BEHIND: Rule(
        "Usage does not reach ClickHouse",
        "The log says how the last try ended; docs/export.md lists the causes. Nothing is lost: rows"
        " wait in the database, about 60 bytes each, and are sent when the sink takes them again.",
        None,
    ),
}


def rule_of(kind: str) -> Rule:
    """Return how a kind is told; a kind of another version that shares the database is told plainly."""
    return RULES[Kind(kind)] if kind in set(Kind) else Rule(clean_subject(kind), "", None)


def clean_subject(text: str) -> str:
    """Return a subject that is one line and fits its column."""
    return clipped(one_line(mask_secrets(text)), SUBJECT_MAX)


def clean_detail(text: str) -> str:
    """Return a detail that is one line of bounded length without anything like a credential."""
    return clipped(one_line(mask_secrets(text)), _DETAIL_MAX)


def of_wallet(wallet_id: int) -> str:
    """Return the subject of alerts about a wallet; the same for all who raise them."""
    return f"wallet {wallet_id}"
