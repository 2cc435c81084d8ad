"""Proof that the wheel is whole: every module, migration, template and other data file is in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import shape

ROOT = Path(shape.__file__).resolve().parent.parent
IGNORED = {".pyc", ".pyo"}


def sources() -> set[str]:
    """List what src holds, as it should be named inside a wheel."""
    src = ROOT / "src"
    files = (path for path in (src / "tollbridge").rglob("*") if path.is_file())
    return {str(path.relative_to(src)) for path in files if path.suffix not in IGNORED}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Built from a copy, because setuptools leaves build/ and egg-info beside what it builds.
    copy = tmp_path_factory.mktemp("copy")
    out = tmp_path_factory.mktemp("wheel")
    command = ["cp", "-r", "src", "pyproject.toml", "README.md", "LICENSE", str(copy)]
    subprocess.run(command, cwd=ROOT, check=True)
    for stale in copy.glob("src/*.egg-info/*"):
        stale.unlink()
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy],
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (found,) = out.glob("tollbridge-*.whl")
    return found


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_everything_in_src_is_in_the_wheel_and_nothing_else(wheel: Path):
    packed = {name for name in names(wheel) if ".dist-info/" not in name}
    assert packed == sources()


def test_the_folders_of_data_are_in_it(wheel: Path):
    packed = names(wheel)
    for folder in ("migrations", "templates", "static", "locale"):
        if (ROOT / "src" / "tollbridge" / folder).is_dir():
            assert any(name.startswith(f"tollbridge/{folder}/") for name in packed), folder


def test_it_carries_the_licence_and_the_command(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        assert "tollbridge = tollbridge.cli:main" in archive.read(entry_points).decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
