"""Owns the programs that tests and benchmark need beside Python: found, installed or named.

As root on a system with apt-get it installs what is missing; otherwise it says exactly what to
install. Under CI=true something missing is a failure. Starts no service: the tests start their own
and end them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One need: any of `binaries` meets it; `packages` are tried in order on Debian or Ubuntu."""

    name: str
    binaries: tuple[str, ...]
    packages: tuple[str, ...]
    folders: str = ""


PROGRAMS = (
    Program("PostgreSQL", ("postgres",), ("postgresql",), "/usr/lib/postgresql/*/bin"),
    Program(
        "Valkey or Redis", ("valkey-server", "redis-server"), ("valkey-server", "redis-server")
    ),
    Program("nginx", ("nginx",), ("nginx-light", "nginx"), "/usr/sbin"),
    Program("Caddy", ("caddy",), ("caddy",)),
    Program("systemd-analyze", ("systemd-analyze",), ("systemd",)),
    Program("Chromium", ("chromium", "chromium-browser", "google-chrome"), ("chromium",)),
    # Pages in Chinese are measured and looked at: without it they are rows of empty boxes.
    Program(
        "Chinese font",
        ("NotoSansCJK-Regular.ttc",),
        ("fonts-noto-cjk",),
        "/usr/share/fonts/opentype/noto",
    ),
)


def on_this_machine(program: Program) -> bool:
    """Say whether one of the program's binaries is on PATH or in its usual folders."""
    if any(shutil.which(binary) for binary in program.binaries):
        return True
    folders = Path("/").glob(program.folders.lstrip("/")) if program.folders else iter(())
    return any((folder / binary).is_file() for folder in folders for binary in program.binaries)


def chosen(names: Sequence[str]) -> Iterator[Program]:
    """Yield the programs called `names` (their binaries count too), all when none is named."""
    for program in PROGRAMS:
        if not names or set(names) & {program.name, *program.binaries}:
            yield program


def advice(missing: Iterable[Program]) -> str:
    """Return what a person has to install, one program a line and the Debian command."""
    missing = list(missing)
    lines = [f"missing: {program.name} ({' or '.join(program.binaries)})" for program in missing]
    packages = " ".join(program.packages[-1] for program in missing)
    return "\n".join([*lines, f"install, for instance: apt-get install {packages}"])


def install(missing: Iterable[Program], run: Callable[[list[str]], bool]) -> None:
    """Install the programs with apt-get, each by the first of its packages that is there."""
    run(["apt-get", "update", "-qq"])
    for program in missing:
        print(f"installing {program.name}", flush=True)
        for package in program.packages:
            if run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]):
                break


def _quietly(command: list[str]) -> bool:
    # A package's own service must not start: it would hold the ports and outlive the tests.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr.strip()[-500:], file=sys.stderr)
    return done.returncode == 0


def main(names: Sequence[str]) -> int:
    """See to it that the programs are there; 1 when one is missing and CI asks for all of them."""
    wanted = list(chosen(names))
    missing = [program for program in wanted if not on_this_machine(program)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        install(missing, _quietly)
        missing = [program for program in missing if not on_this_machine(program)]
    if not missing:
        return 0
    print(advice(missing), file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
