"""The Dockerfile, replayed as far as that goes without containers: its copies, its build, its start."""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.services.ports import free_port
from tools.shape import tracked_files

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = "/opt/tollbridge"
_KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pairs = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]
    assert {word for word, _ in pairs} <= _KNOWN
    return pairs


def context() -> list[str]:
    """Return the tracked files that .dockerignore lets into the build, its last match counting."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    return [path for path in tracked_files(ROOT) if not _ignored(path, rules)]


def _ignored(path: str, rules: list[str]) -> bool:
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").rstrip("/").removeprefix("**/")
        parts = Path(path).parts
        names = [path, *("/".join(parts[: at + 1]) for at in range(len(parts)))]
        loose = rule.removeprefix("!").startswith("**/")
        if any(fnmatch.fnmatch(name, pattern) for name in (parts if loose else names)):
            ignored = not rule.startswith("!")
    return ignored


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out /src as the COPY steps of the first stage do."""
    folder = tmp_path_factory.mktemp("src")
    allowed = context()
    first_stage = instructions()[: [word for word, _ in instructions()].index("FROM", 1)]
    for word, rest in first_stage:
        if word != "COPY":
            continue
        *wanted, target = rest.split()
        for want in wanted:
            found = [path for path in allowed if path == want or path.startswith(want)]
            assert found, f"COPY {want}: nothing of it is in the context"
            for path in found:
                place = (
                    folder / target / Path(path).relative_to(want if want.endswith("/") else ".")
                )
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, place)
    return folder


def run_steps() -> list[str]:
    return [rest for word, rest in instructions() if word == "RUN"]


def test_only_what_the_build_needs_is_in_the_context():
    assert {Path(path).parts[0] for path in context()} == {
        *("pyproject.toml", "README.md", "LICENSE", "requirements", "src")
    }


def test_what_is_copied_builds_and_starts(source: Path, tmp_path: Path):
    """The last step of the first stage without an environment of its own: no network is needed."""
    install = run_steps()[1]
    assert install == f"{PLACE}/bin/pip install --no-cache-dir --no-deps --no-build-isolation ."
    words = [*install.split()[1:], "--quiet", "--no-index", "--target", str(tmp_path / "site")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tollbridge" / "migrations" / "env.py").exists()
    _serves(
        [sys.executable, str(tmp_path / "site" / "bin" / "tollbridge")],
        tmp_path,
        {"PYTHONPATH": str(tmp_path / "site")},
    )


@pytest.mark.long
def test_every_step_of_the_first_stage_works(source: Path, tmp_path: Path):
    """With packages from where this machine gets them; the interpreter is ours."""
    place = tmp_path / "opt"
    for step in run_steps()[:2]:
        script = step.replace(PLACE, str(place)).replace(
            "python -m venv", f"{sys.executable} -m venv"
        )
        done = subprocess.run(
            ["sh", "-euc", script], cwd=source, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
    _serves([str(place / "bin" / "tollbridge")], tmp_path, {})


def _serves(program: list[str], folder: Path, environ: dict[str, str]) -> None:
    """Start ENTRYPOINT and CMD in an empty working directory until it is ready."""
    said = dict(instructions())
    assert json.loads(said["ENTRYPOINT"]) == ["tollbridge"]
    port = str(free_port())
    swap = {"0.0.0.0": "127.0.0.1", "8080": port}
    words = [swap.get(word, word) for word in json.loads(said["CMD"])]
    home = folder / "home"
    home.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, *words], cwd=home, stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], **environ},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if (
                    httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code
                    == 200
                ):
                    break
            except httpx2.TransportError:
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (folder / "log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
    assert (home / "var" / "tollbridge.db").exists()
