"""Owns what stands in src/tollbridge/static/vendor: which files of which packages, by their SHA-256.

Fetching is for development only and by npm's own means: where from is the installer's choice, and
the table makes the choice harmless. `--check` needs no network.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent.parent / "src" / "tollbridge" / "static" / "vendor"


class Vendored(NamedTuple):
    """One file: its name here, the package and version it is of, its place there, its SHA-256."""

    name: str
    package: str
    member: str
    digest: str


HTMX = "htmx.org@4.0.1"
BASECOAT = "basecoat-css@1.0.2"
TABLE = (
    Vendored(
        "htmx.js",
        HTMX,
        "dist/htmx.min.js",
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    ),
    Vendored(
        "htmx.LICENSE",
        HTMX,
        "LICENSE",
        "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
    ),
    Vendored(
        "basecoat.css",
        BASECOAT,
        "dist/basecoat.cdn.min.css",
        "8123677adb9bba43be3298e1543bcc5fc763e8cda3d32dc74c806046a3537ca0",
    ),
    Vendored(
        "basecoat.LICENSE",
        BASECOAT,
        "LICENSE.md",
        "160a6cea26ff1931297957499ab739e94c4bc79ecea18b490c9f533fa76ace78",
    ),
)


def differences(folder: Path) -> list[str]:
    """Return a line for each file that is missing, changed, or in the folder without being listed."""
    listed = {one.name: one for one in TABLE}
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    found = [f"{name}: is not in the table of tools/vendor.py" for name in there - listed.keys()]
    for name, one in listed.items():
        if name not in there:
            found.append(f"{name}: is missing")
        elif sha256((folder / name).read_bytes()).hexdigest() != one.digest:
            found.append(f"{name}: is not {one.member} of {one.package}")
    return sorted(found)


def unpack(archive: Path, package: str, folder: Path) -> None:
    """Put the listed files of a package into the folder.

    ValueError, and nothing written, when one is not there or not as the table has it.
    """
    contents = {}
    with tarfile.open(archive) as opened:
        for one in TABLE:
            if one.package != package:
                continue
            content = _content(opened, f"package/{one.member}")
            if content is None or sha256(content).hexdigest() != one.digest:
                raise ValueError(f"{one.member} of {package} is missing or not what it should be")
            contents[one.name] = content
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _content(archive: tarfile.TarFile, member: str) -> bytes | None:
    try:
        file = archive.extractfile(member)
    except KeyError:
        return None
    return file.read() if file else None


def _fetch(package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["npm", "pack", package, "--silent"], cwd=place, check=True)
        (archive,) = Path(place).glob("*.tgz")
        unpack(archive, package, folder)


def main() -> int:
    """Fetch what the table lists; with `--check`, only compare what stands in the tree with it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        for package in dict.fromkeys(one.package for one in TABLE):
            print(package, flush=True)
            _fetch(package, FOLDER)
    wrong = differences(FOLDER)
    print("".join(f"{line}\n" for line in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
