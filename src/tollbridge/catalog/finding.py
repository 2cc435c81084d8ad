"""Owns what a test of one account found, for whoever asked for it. Must not know how one is made."""

from dataclasses import dataclass


class ProbeRuns(Exception):
    """The account is being tested already."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test found.

    `outcome` is "ok" or our word for what went wrong; `status` the upstream's, None without an
    answer. `trouble` is what a call that failed like this would hold against the account, for
    `for_s` seconds (None: it would count as one failure), "" if nothing. `said` is the upstream's
    message, cleaned.
    """

    outcome: str
    status: int | None
    took_ms: int
    path: str
    model: str = ""
    model_sent: str = ""
    trouble: str = ""
    scope: str = ""
    for_s: float | None = None
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether the account answered as it should."""
        return self.outcome == "ok"
