"""The twin of tools/vendor.py: what stands in the tree is what was published, to the byte."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools import shape, vendor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the vendored files."""
    copy = tmp_path / "vendor"
    copy.mkdir()
    for one in vendor.TABLE:
        (copy / one.name).write_bytes((vendor.FOLDER / one.name).read_bytes())
    return copy


def packed(path: Path, members: dict[str, bytes]) -> Path:
    """Write an archive as npm packs one."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def members(package: str) -> dict[str, bytes]:
    return {
        one.member: (vendor.FOLDER / one.name).read_bytes()
        for one in vendor.TABLE
        if one.package == package
    }


def test_the_files_in_the_tree_are_those_of_the_table():
    command = [sys.executable, vendor.__file__, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("one", vendor.TABLE, ids=lambda one: one.name)
def test_a_changed_byte_is_found(folder: Path, one: vendor.Vendored):
    assert vendor.differences(folder) == []
    content = bytearray((folder / one.name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / one.name).write_bytes(content)
    assert vendor.differences(folder) == [f"{one.name}: is not {one.member} of {one.package}"]
    (folder / one.name).unlink()
    assert vendor.differences(folder) == [f"{one.name}: is missing"]


def test_a_file_that_nobody_listed_is_found(folder: Path, tmp_path: Path):
    (folder / "more.js").touch()
    assert vendor.differences(folder) == ["more.js: is not in the table of tools/vendor.py"]
    assert len(vendor.differences(tmp_path / "none")) == len(vendor.TABLE)


@pytest.mark.parametrize("package", [vendor.HTMX, vendor.BASECOAT])
def test_a_package_is_unpacked_when_it_is_the_right_one(tmp_path: Path, package: str):
    archive = packed(tmp_path / "a.tgz", members(package))
    vendor.unpack(archive, package, tmp_path / "new")
    made = {path.name for path in (tmp_path / "new").iterdir()}
    assert made == {one.name for one in vendor.TABLE if one.package == package}
    assert not any(line.startswith(tuple(made)) for line in vendor.differences(tmp_path / "new"))


def test_another_package_is_refused_and_changes_nothing(folder: Path, tmp_path: Path):
    good = members(vendor.HTMX)
    absent = {name: content for name, content in good.items() if name != "LICENSE"}
    for wrong in (good | {"dist/htmx.min.js": b"evil()"}, absent, {}):
        archive = packed(tmp_path / "a.tgz", wrong)
        with pytest.raises(ValueError, match="missing or not what it should be"):
            vendor.unpack(archive, vendor.HTMX, folder)
        assert vendor.differences(folder) == []


def test_nothing_says_where_to_fetch():
    text = Path(vendor.__file__).read_text()
    assert list(shape.forbidden("tools/vendor.py", text)) == []
    assert "://" not in text
