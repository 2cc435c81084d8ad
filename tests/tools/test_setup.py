"""The twin of tools/setup.sh, run in a folder of its own with stand-ins for python and apt-get."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import shape

SCRIPT = Path(shape.__file__).with_name("setup.sh")

# Knows ensurepip once apt-get has "installed" it; makes an environment by copying itself.
PYTHON = """#!/bin/sh
case "$*" in
  *ensurepip*) [ -f has-venv ] ;;
  *"< (3, 11)"*) exit 0 ;;
  *print*) echo 3.11 ;;
  "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"-m pip"*) echo "pip $*" >> log ;;
esac
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >> log
case "$1" in install) : > has-venv ;; esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("tools", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(SCRIPT, tmp_path / "tools")
    for name in ("dirname", "id", "touch", "mkdir", "cp"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def stand_in(tree: Path, name: str, text: str) -> None:
    path = tree / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(tree / "tools" / "setup.sh"), "dev"],
        env={"PATH": str(tree / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def log(tree: Path) -> list[str]:
    return (tree / "log").read_text().splitlines()


def test_without_a_python_it_says_which_one_it_needs(tree: Path):
    done = run(tree)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_names_the_package_to_a_user(tree: Path):
    stand_in(tree, "python3", PYTHON)
    stand_in(tree, "id", "#!/bin/sh\necho 1000\n")
    stand_in(tree, "apt-get", APT_GET)
    done = run(tree)
    assert done.returncode == 1
    assert "Install: python3-venv (or python3.11-venv)" in done.stderr
    assert not (tree / "log").exists()


def test_root_gets_the_package_and_then_the_environment(tree: Path):
    stand_in(tree, "python3", PYTHON)
    stand_in(tree, "id", "#!/bin/sh\necho 0\n")
    stand_in(tree, "apt-get", APT_GET)
    done = run(tree)
    assert done.returncode == 0, done.stderr
    update, install, pins, itself = log(tree)
    assert update.startswith("apt-get update")
    assert install.endswith("python3.11-venv")
    assert "--require-hashes --only-binary :all: -r requirements/build.txt" in pins
    assert pins.endswith("-r requirements/dev.txt")
    assert itself.endswith("--no-deps --no-build-isolation --editable .")
    assert (tree / ".venv" / ".dev").exists()


def test_an_environment_that_is_there_is_kept(tree: Path):
    stand_in(tree, "python3", PYTHON)
    (tree / "has-venv").touch()
    assert run(tree).returncode == 0
    (tree / ".venv" / "kept").touch()
    assert run(tree).returncode == 0
    assert (tree / ".venv" / "kept").exists()
    assert not [line for line in log(tree) if line.startswith("apt-get")]
