"""Owns running what a page told somebody to copy, as it stands, in a shell or an interpreter."""

import os
import subprocess
import sys

_KEPT = ("PATH", "LANG", "LC_ALL")
_DEADLINE_S = 60


def in_bash(text: str) -> str:
    """Run a text as typed into a shell and return what it printed; fails the test when it fails."""
    return _ran(["bash", "-euo", "pipefail"], text)


def in_python(text: str) -> str:
    """Run a text as a script of this interpreter, which has the vendors' libraries."""
    return _ran([sys.executable, "-"], text)


def _ran(command: list[str], text: str) -> str:
    # A shell of one's own: no proxy of this machine, none of its keys.
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(
        command,
        input=text,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
