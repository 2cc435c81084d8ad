"""The twin of tools/system_packages.py. Installs nothing: the installer is handed a recorder."""

from pathlib import Path

import pytest

from tools import system_packages
from tools.system_packages import Program

REDIS = Program("Valkey or Redis", ("valkey-server", "redis-server"), ("valkey", "redis"))
ABSENT = Program("Nothing", ("no-such-program-here",), ("nothing-light", "nothing"))


def test_a_binary_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system_packages.on_this_machine(REDIS)
    binary.unlink()
    assert not system_packages.on_this_machine(REDIS)


def test_a_binary_in_a_versioned_folder_is_found(tmp_path: Path):
    program = Program("P", ("no-such-program-here",), ("p",), f"{tmp_path}/*/bin")
    assert not system_packages.on_this_machine(program)
    (tmp_path / "15" / "bin").mkdir(parents=True)
    (tmp_path / "15" / "bin" / "no-such-program-here").touch()
    assert system_packages.on_this_machine(program)


def test_programs_are_chosen_by_name_or_binary():
    everything = [program.name for program in system_packages.chosen([])]
    assert everything == [
        "PostgreSQL",
        "Valkey or Redis",
        "nginx",
        "Caddy",
        "systemd-analyze",
        "Chromium",
        "Chinese font",
    ]
    assert [program.name for program in system_packages.chosen(["nginx", "redis-server"])] == [
        "Valkey or Redis",
        "nginx",
    ]


def test_advice_names_program_and_package():
    assert system_packages.advice([REDIS, ABSENT]).splitlines() == [
        "missing: Valkey or Redis (valkey-server or redis-server)",
        "missing: Nothing (no-such-program-here)",
        "install, for instance: apt-get install redis nothing",
    ]


def test_the_second_package_is_tried_when_the_first_is_not_there():
    calls: list[list[str]] = []

    def run(command: list[str]) -> bool:
        calls.append(command)
        return command[-1] != "valkey"

    system_packages.install([REDIS, ABSENT], run)
    assert [command[-1] for command in calls] == ["-qq", "valkey", "redis", "nothing-light"]


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_missing_is_a_failure_under_ci_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
):
    monkeypatch.setattr(system_packages, "PROGRAMS", (ABSENT,))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    assert system_packages.main([]) == code
    assert "missing: Nothing" in capsys.readouterr().err
