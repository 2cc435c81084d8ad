"""Owns the stack of deploy/compose that the tests of this folder share, started once."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import composed
from tests.deploy.stack import Stack
from tests.services.gateway import catalogue
from tests.services.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose"


class Running:
    """The started stack, where Caddy serves and where the pretend vendor is to listen."""

    def __init__(self, stack: Stack, site: str, vendor_port: int) -> None:
        self.stack = stack
        self.site = site
        self.vendor_port = vendor_port

    def tollbridge(self, *words: str) -> str:
        """Run a command as README.md says, and return what it printed."""
        done = self.stack.run("migrate", "tollbridge", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, query: str) -> list[list[str]]:
        """Ask the database, as its owner inside the container."""
        postgres = self.stack.services["postgres"]
        port = self.stack.ports["postgres", 5432]
        url = f"postgresql://tollbridge@127.0.0.1:{port}/tollbridge"
        passfile = self.stack.place(self.stack.services["migrate"], "/run/secrets/pgpass")
        done = subprocess.run(
            [*self.stack.program(postgres, "psql"), "-X", "-A", "-t", "-c", query, url],
            env={"PGPASSFILE": str(passfile)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """Yield a copy of deploy/compose for which prepare.sh has run."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-"))
    try:
        folder.chmod(0o711)
        home = folder / "compose"
        shutil.copytree(COMPOSE, home, ignore=shutil.ignore_patterns(".env", "secrets", "state"))
        prepare(home)
        yield home
    finally:
        shutil.rmtree(folder)


def prepare(home: Path) -> str:
    """Run prepare.sh of a copied folder and return what it printed."""
    done = subprocess.run(
        [home / "prepare.sh"],
        env={"PATH": os.environ["PATH"], "RUN_AS": f"{os.getuid()}:{os.getgid()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def running(prepared: Path) -> Iterator[Running]:
    """Yield the whole stack, every service up, with a catalogue that names the pretend vendor."""
    site = f"http://127.0.0.1:{free_port()}"
    services = composed.load(prepared / "compose.yaml", {"SITE_ADDRESS": site})
    folder = prepared.parent / "stack"
    folder.mkdir(mode=0o711)
    stack = Stack(services, folder)
    started = Running(stack, site, free_port())
    try:
        for name in services:
            stack.start(name)
        file = folder / "catalogue.toml"
        site_lines = '[site]\ntrusted_proxies = ["127.0.0.1/32"]'
        text = catalogue(f"http://127.0.0.1:{started.vendor_port}")
        file.write_text(text.replace("[site]", site_lines))
        started.tollbridge("apply", str(file))
        yield started
    finally:
        stack.end()
