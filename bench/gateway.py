"""Owns a gateway under test: a throw-away database, one rich user, one channel, all checks on.

It drives the gateway as anybody would (command line and HTTP) and looks into the database only
after the end, to count. It must not import the gateway's code.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from bench import audit
from bench.lanes import MODEL
from bench.processes import Child, ChildFailed, Owner, answers, free_port, wait_until

_UP_S = 60
_COMMAND_S = 120
CREDIT_USD = 1_000_000
_NANO = 10**9


class Gateway:
    """One gateway of one or more processes, with a folder and a database of its own."""

    def __init__(
        self,
        name: str,
        folder: Path,
        upstream_url: str,
        core: int | None,
        *,
        database: str | None = None,
        workers: int = 1,
    ) -> None:
        """Apply the configuration and start serving; ChildFailed when one of them fails.

        `database` is the URL of an empty PostgreSQL database; without it the gateway is on SQLite.
        `name` is told in the report; its folder is one in `folder`.
        """
        self.name = name
        self.folder = folder / f"gateway-{name}"
        self.folder.mkdir()
        self.port = free_port()
        self.secret = "sk-" + secrets.token_hex(24)
        self.database = database or f"sqlite:///{self.folder}/bench.db"
        self._owner = Owner(environment=_environment(self.folder / "bench.keys"))
        file = self.folder / "bench.toml"
        file.write_text(configuration(upstream_url, self.secret))
        applied = self._run("apply", str(file))
        if applied.returncode:
            raise ChildFailed(f"tollbridge apply: {applied.stderr or applied.stdout}")
        self.child = self._serve(core, workers)

    def audit(self) -> audit.Books:
        """Read the money of a gateway that has been stopped, and let it verify its own ledger."""
        verify = self._run("ledger", "verify")
        right = verify.returncode == 0
        said = (verify.stdout + verify.stderr).strip()
        return audit.read(self.database, CREDIT_USD * _NANO, verified=right, verdict=said)

    def _serve(self, core: int | None, workers: int) -> Child:
        words = ("--port", str(self.port), "--workers", str(workers))
        command = [*self._command("serve"), *words]
        child = Child("gateway", command, self.folder, core, owner=self._owner)
        url = f"http://127.0.0.1:{self.port}/readyz"
        # The first of several processes takes calls before the others do; only words tell of all.
        wait_until(child, lambda: child.said("tollbridge serves at") and answers(url), _UP_S)
        return child

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tollbridge.cli", *words, "--database", self.database]

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(*words),
            cwd=self.folder,
            env=self._owner.environment,
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


def _environment(key_file: Path) -> dict[str, str]:
    """Return our environment with no setting of a gateway in it but where its keys are."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TOLLBRIDGE_")}
    return {**kept, "TOLLBRIDGE_KEY_FILE": str(key_file)}
