"""The twin of tools/lock.py, and the rules that its output has to keep."""

import re
import tomllib
from pathlib import Path

import pytest

from tools import lock, shape

FILES = ["build.txt", "dev.txt", "runtime.txt"]
PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; .*)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def read(name: str) -> str:
    return (lock.ROOT / "requirements" / name).read_text()


def pins(name: str) -> dict[str, str]:
    return {found[1]: found[2] for line in read(name).splitlines() if (found := PIN.match(line))}


def hashes(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in read(name).splitlines():
        if match := PIN.fullmatch(line):
            current = found.setdefault(match[1], [])
        elif HASH.fullmatch(line):
            current.append(line)
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_pins_hashes_and_comments_only(name: str):
    for line in read(name).splitlines():
        assert (
            not line or line.lstrip().startswith("#") or PIN.fullmatch(line) or HASH.fullmatch(line)
        )
    assert pins(name)
    assert all(hashes(name)[package] for package in pins(name))


@pytest.mark.parametrize("name", FILES)
def test_a_file_names_no_host_and_no_folder(name: str):
    assert list(shape.forbidden(name, read(name))) == []
    assert "://" not in read(name)


def test_what_runs_is_what_was_tested():
    tested = hashes("dev.txt")
    for package, wanted in hashes("runtime.txt").items():
        assert [line.rstrip(" \\") for line in tested[package]] == [
            line.rstrip(" \\") for line in wanted
        ]
    assert pins("runtime.txt").items() <= pins("dev.txt").items()


def test_every_direct_dependency_is_pinned():
    project = tomllib.loads((lock.ROOT / "pyproject.toml").read_text())["project"]
    for name, wanted in (
        ("runtime.txt", project["dependencies"]),
        ("dev.txt", project["optional-dependencies"]["dev"]),
    ):
        names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
        assert names <= pins(name).keys()


def test_the_build_set_is_what_pyproject_builds_with():
    text = '[build-system]\nrequires = ["setuptools>=77", "other"]\n'
    assert lock.build_requirements(text) == "setuptools>=77\nother\n"


def test_the_compile_command_emits_no_index():
    command = lock.command("dev.txt", "pyproject.toml", ["--upgrade"])
    assert "--no-emit-options" in command
    assert "--no-emit-index-" + "url" in command
    assert command[-4:] == ["--upgrade", "-o", "requirements/dev.txt", "pyproject.toml"]
    assert Path(command[0]).is_file()
