"""Owns the generated documentation: today the index of decisions. Must not judge the prose."""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DECISIONS = ROOT / "docs" / "decisions"
ADR_LINES = 40

_INTRODUCTION = f"""\
# Decisions

Why the project is as it is: one decision a file, at most {ADR_LINES} lines. A decision is changed
by a new one that names the old, in the same commit as the code. `make docs` writes this index.

| no. | decision |
| --- | --- |
"""
_TITLE = re.compile(r"# (\d{4}) (.+)")


class DocsError(ValueError):
    """A document that breaks the form; the text names the file and the reason."""


def entry(name: str, text: str) -> str:
    """Return the index row of one decision; DocsError when its title or length is wrong."""
    lines = text.splitlines()
    title = _TITLE.fullmatch(lines[0]) if lines else None
    if title is None or not name.startswith(f"{title[1]}-"):
        raise DocsError(f"{name}: the first line must be '# {name[:4]} Title'")
    if len(lines) > ADR_LINES:
        raise DocsError(f"{name}: {len(lines)} lines, at most {ADR_LINES}")
    return f"| {title[1]} | [{title[2]}]({name}) |\n"


def index(decisions: Path) -> str:
    """Return the text of the index for a folder of decisions, in order of their numbers."""
    files = sorted(decisions.glob("[0-9]*.md"))
    return _INTRODUCTION + "".join(entry(path.name, path.read_text()) for path in files)


def main() -> int:
    """Write the documents, or with `--check` only say which are out of date."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    target = DECISIONS / "README.md"
    try:
        wanted = index(DECISIONS)
    except DocsError as error:
        print(error)
        return 1
    if check:
        fresh = target.is_file() and target.read_text() == wanted
        if not fresh:
            print(f"{target.relative_to(ROOT)}:1: out of date, run make docs")
        return 0 if fresh else 1
    target.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
