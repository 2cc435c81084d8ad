"""The proof of deploy/systemd: units that systemd accepts, settings that exist, a service that serves."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.deploy import units
from tests.services.ports import free_port
from tollbridge.core.settings import Settings

FOLDER = Path(__file__).resolve().parent.parent.parent / "deploy" / "systemd"
GATEWAY, WORKER = FOLDER / "tollbridge.service", FOLDER / "tollbridge-worker.service"
DROP_IN = FOLDER / "tollbridge.service.d" / "postgresql.conf"
STATE = "/var/lib/tollbridge"
PROGRAM = "/opt/tollbridge/bin/tollbridge"
_SEVERAL = {"Environment"}


def test_every_option_is_there_once_and_the_two_units_are_fenced_in_alike():
    gateway, worker = units.load(GATEWAY), units.load(WORKER)
    for unit in (gateway, worker):
        for section in unit.values():
            assert not [
                key for key, values in section.items() if len(values) > 1 and key not in _SEVERAL
            ]
    own = {"Type", "NotifyAccess", "ExecStart", "KillMode", "RestartSec", "TimeoutStopSec"}
    shared = {key: value for key, value in gateway["Service"].items() if key not in own}
    assert shared == {key: value for key, value in worker["Service"].items() if key not in own}
    assert shared["ProtectSystem"] == ["strict"] and shared["NoNewPrivileges"] == ["yes"]


def test_systemd_accepts_the_units(tmp_path: Path):
    program = shutil.which("systemd-analyze")
    if program is None:
        reason = "systemd-analyze is not installed: tools/system_packages.py"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    drop_in = tmp_path / "tollbridge.service.d"
    drop_in.mkdir()
    shutil.copy(DROP_IN, drop_in)
    for file in (GATEWAY, WORKER):
        (tmp_path / file.name).write_text(file.read_text().replace(PROGRAM, "/bin/true"))
        done = subprocess.run(
            [program, "verify", "--man=no", tmp_path / file.name],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        about_us = [line for line in done.stderr.splitlines() if "tollbridge" in line]
        assert done.returncode == 0 and not about_us, done.stderr


@pytest.mark.parametrize("file", [GATEWAY, WORKER])
def test_the_command_is_one_of_the_command_line(file: Path):
    program, command, *options = units.load(file)["Service"]["ExecStart"][0].split()
    assert program == PROGRAM and not options
    done = subprocess.run(
        [sys.executable, "-m", "tollbridge.cli", command, "--help"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("files", [(GATEWAY,), (WORKER,), (GATEWAY, DROP_IN), (WORKER, DROP_IN)])
def test_the_settings_are_accepted(files: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("TOLLBRIDGE_")]:
        monkeypatch.delenv(name)
    given = units.environment(units.load(*files)) | units.env_file(
        FOLDER / "tollbridge.env.example"
    )
    known = {f"TOLLBRIDGE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in given if name.startswith("TOLLBRIDGE_")} <= known
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    Settings()


def test_there_is_time_for_calls_to_end():
    grace_s = int(Settings.model_fields["shutdown_grace_s"].default)
    assert int(units.load(GATEWAY)["Service"]["TimeoutStopSec"][0]) > grace_s + 35
    assert int(units.load(WORKER)["Service"]["TimeoutStopSec"][0]) > 10


def test_the_state_is_where_the_unit_lets_it_write():
    unit = units.load(GATEWAY)
    assert unit["Service"]["StateDirectory"] == ["tollbridge"]
    assert unit["Service"]["WorkingDirectory"] == [STATE]
    given = units.environment(unit)
    for name in ("TOLLBRIDGE_KEY_FILE", "TOLLBRIDGE_MAIL_FOLDER"):
        assert given[name].startswith(f"{STATE}/")
    assert given["TOLLBRIDGE_DATABASE"].startswith(f"sqlite:///{STATE}/data/")
    assert not given["TOLLBRIDGE_KEY_FILE"].startswith(f"{STATE}/data/")


def test_the_service_tells_when_it_serves_and_ends_in_order(tmp_path: Path):
    """Run ExecStart with the unit's environment, as systemd would with Type=notify."""
    unit = units.load(GATEWAY)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    said.bind(str(tmp_path / "notify"))
    said.settimeout(60)
    port = free_port()
    given = units.environment(unit, {STATE: str(state)})
    with said, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tollbridge.cli", *unit["Service"]["ExecStart"][0].split()[1:]],
            env={"PATH": os.environ["PATH"], **given, "TOLLBRIDGE_PORT": str(port),
                 "NOTIFY_SOCKET": str(tmp_path / "notify")},
            cwd=state, umask=0o077, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            assert said.recv(100) == b"READY=1"
            ready = httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
            assert ready.status_code == 200
            process.send_signal(signal.SIGTERM)
            assert said.recv(100) == b"STOPPING=1"
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
    assert {path.name for path in state.iterdir()} <= {"data", "keys", "mail"}
