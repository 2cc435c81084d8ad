"""Owns the gateway under test: a throw-away database, one rich user, one channel, all checks on.

It drives the gateway as anybody would (command line and HTTP) and looks into the database only
after the end, to count. It must not import the gateway's code.
"""

import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.lanes import MODEL
from bench.processes import Child, ChildFailed, free_port, wait_until_up

_UP_S = 30
_COMMAND_S = 60
CREDIT_USD = 1_000_000
_NANO = 10**9


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says after the run; money in nano-dollars."""

    usage_rows: int
    charged: int
    spent: int
    held: int
    verified: bool
    verdict: str


class Gateway:
    """One gateway process on a database of its own in `folder`."""

    def __init__(self, folder: Path, upstream_url: str, core: int | None) -> None:
        """Apply the configuration and start serving; ChildFailed when one of them fails."""
        self.folder = folder
        self.port = free_port()
        self.secret = "sk-" + secrets.token_hex(24)
        # The gateway keeps its key file beside the database's folder: both are thrown away.
        self.database = folder / "data" / "bench.db"
        self.database.parent.mkdir()
        file = folder / "bench.toml"
        file.write_text(configuration(upstream_url, self.secret))
        applied = self._run("apply", str(file))
        if applied.returncode:
            raise ChildFailed(f"tollbridge apply: {applied.stderr or applied.stdout}")
        command = [*self._command("serve"), "--port", str(self.port)]
        self.child = Child("gateway", command, folder, core)
        wait_until_up(self.child, f"http://127.0.0.1:{self.port}/readyz", _UP_S)

    def audit(self) -> Books:
        """Read the money of a gateway that has been stopped, and let it verify its own ledger."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            rows, charged = database.execute("SELECT count(*), sum(charge) FROM usage").fetchone()
            available, held = database.execute(
                "SELECT sum(available), sum(held) FROM purse WHERE kind = 'wallet'"
            ).fetchone()
        verify = self._run("ledger", "verify")
        spent = CREDIT_USD * _NANO - available
        said = (verify.stdout + verify.stderr).strip()
        return Books(rows, charged or 0, spent, held, verify.returncode == 0, said)

    def _command(self, *words: str) -> list[str]:
        database = f"sqlite:///{self.database}"
        return [sys.executable, "-m", "tollbridge.cli", *words, "--database", database]

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(*words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )


def configuration(upstream_url: str, secret: str) -> str:
    """Return the configuration to apply, as TOML."""
    return f"""[site]
allow_private_upstreams = true

[[model]]
name = "{MODEL}"
context = 400000
max_output = 4096
input = "0.10"
cache_read = "0.05"
output = "0.40"

[[channel]]
name = "bench"
platform = "openai"
surfaces = ["chat"]
models = ["{MODEL}"]

[[channel.account]]
name = "vendor"
base_url = "{upstream_url}"
secret = "upstream-secret"

[[user]]
email = "bench@example.com"
credit = "{CREDIT_USD}.00"

[[user.key]]
name = "bench"
secret = "{secret}"
channel = "bench"
"""


def faults(books: Books, calls: int) -> list[str]:
    """Return what is wrong with the books after that many answered calls; nothing when all is."""
    found = []
    if books.usage_rows != calls:
        found.append(f"{books.usage_rows} usage rows for {calls} calls")
    if books.spent <= 0:
        found.append(f"the wallet dropped by {books.spent} nano-dollars")
    if books.spent != books.charged:
        found.append(f"wallet drop {books.spent} is not the sum of charges {books.charged}")
    if books.held != 0:
        found.append(f"{books.held} nano-dollars are still held")
    if not books.verified:
        found.append(f"ledger verify: {books.verdict}")
    return found
