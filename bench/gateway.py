"""Owns a gateway under test: a throw-away database, one rich user, a channel of each platform.

All checks are on.

It drives the gateway as anybody would (command line and HTTP) and looks into the database only
after the end, to count. It must not import the gateway's code.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from bench import audit
from bench.lanes import Platform
from bench.processes import Child, ChildFailed, Owner, answers, free_port, wait_until
from bench.surfaces import MODEL

VENDOR_SECRET = "upstream-secret"
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
        self.secrets = {name: "sk-" + secrets.token_hex(24) for name in get_args(Platform)}
        self.database = database or f"sqlite:///{self.folder}/bench.db"
        self._owner = Owner(environment=_environment(self.folder / "bench.keys"))
        file = self.folder / "bench.toml"
        file.write_text(configuration(upstream_url, self.secrets))
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


def configuration(upstream_url: str, keys: Mapping[str, str]) -> str:
    """Return the configuration to apply, as TOML; `keys` has the key of each platform's channel."""
    return "".join(
        (
            _SITE,
            *(_channel(platform, upstream_url) for platform in keys),
            _USER,
            *(_key(platform, secret) for platform, secret in keys.items()),
        )
    )


_SITE = f"""[site]
allow_private_upstreams = true

[[model]]
name = "{MODEL}"
context = 400000
max_output = 4096
input = "0.10"
cache_read = "0.05"
output = "0.40"
"""
_USER = f"""
[[user]]
email = "bench@example.com"
credit = "{CREDIT_USD}.00"
"""


def _channel(platform: str, upstream_url: str) -> str:
    return f"""
[[channel]]
name = "{platform}"
platform = "{platform}"
models = ["{MODEL}"]

[[channel.account]]
name = "vendor"
base_url = "{upstream_url}"
secret = "{VENDOR_SECRET}"
"""


def _key(platform: str, secret: str) -> str:
    return f"""
[[user.key]]
name = "{platform}"
secret = "{secret}"
channel = "{platform}"
"""


def _environment(key_file: Path) -> dict[str, str]:
    """Return our environment with no setting of a gateway in it but where its keys are."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TOLLBRIDGE_")}
    return {**kept, "TOLLBRIDGE_KEY_FILE": str(key_file)}
