import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.scratch import MEMORY, scratch


@pytest.fixture(autouse=True)
def _nobody_chose(monkeypatch):
    monkeypatch.delenv("TMPDIR", raising=False)


def test_memory_with_room_is_taken(tmp_path):
    assert scratch(tmp_path, room=1) == tmp_path


def test_without_room_the_usual_folder_is_taken(tmp_path):
    assert scratch(tmp_path, room=2**80) == Path(tempfile.gettempdir())


def test_a_folder_that_is_not_there_is_not_taken(tmp_path):
    assert scratch(tmp_path / "none", room=1) == Path(tempfile.gettempdir())


def test_a_folder_that_starts_no_programs_is_not_taken():
    mounts = [line.split() for line in Path("/proc/mounts").read_text("ascii").splitlines()]
    for mount in mounts:
        if "noexec" in mount[3].split(",") and os.access(mount[1], os.W_OK | os.X_OK):
            assert scratch(Path(mount[1]), room=0) == Path(tempfile.gettempdir())


def test_whoever_chose_a_folder_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert scratch(MEMORY, room=1) == Path(tempfile.gettempdir())


def test_it_is_told_on_one_line():
    told = subprocess.run(
        [sys.executable, "tools/scratch.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = told.stdout.splitlines()
    assert Path(line).is_dir()
