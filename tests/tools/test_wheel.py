"""Proof that the wheel is whole: every module, migration, template and other data file is in it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import shape

ROOT = Path(shape.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a build reads, because setuptools leaves build/ and egg-info beside it."""
    folder = tmp_path_factory.mktemp("copy")
    hidden = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "src", folder / "src", ignore=hidden)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy],
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


def test_everything_in_src_is_in_the_wheel_and_nothing_else(copy: Path, wheel: Path):
    packed = {name for name in names(wheel) if ".dist-info/" not in name}
    files = (path for path in (copy / "src" / "tollbridge").rglob("*") if path.is_file())
    assert packed == {str(path.relative_to(copy / "src")) for path in files}


def test_the_folders_of_data_are_in_it(wheel: Path):
    packed = names(wheel)
    for folder in ("migrations", "templates", "static", "locale"):
        assert any(name.startswith(f"tollbridge/{folder}/") for name in packed), folder
    catalogue = "locale/zh_Hans/LC_MESSAGES/tollbridge.mo"
    for name in ("templates/base.html", "static/app.css", "static/vendor/htmx.js", catalogue):
        assert f"tollbridge/{name}" in packed


def test_it_carries_the_licence_and_the_command(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        assert "tollbridge = tollbridge.cli:main" in archive.read(entry_points).decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
