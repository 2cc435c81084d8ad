"""Owns the generated documentation: the index of decisions and the list of what translations lose.

Must not judge the prose.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tollbridge.protocols.losses import LOSSES

ROOT = Path(__file__).resolve().parent.parent
DECISIONS = ROOT / "docs" / "decisions"
LOSSES_PAGE = ROOT / "docs" / "losses.md"
ADR_LINES = 40

_INTRODUCTION = f"""\
# Decisions

Why the project is as it is: one decision a file, at most {ADR_LINES} lines. A decision is changed
by a new one that names the old, in the same commit as the code. `make docs` writes this index.

| no. | decision |
| --- | --- |
"""
_LOSSES_HEAD = """\
# What is lost between protocols

A client can use an upstream of another platform than its own protocol's. Where both speak the same
protocol nothing is lost: the bytes pass. Otherwise the request and its answer are translated. What
has no word in the other protocol is lost, and listed below, only if it is advisory: the model is
told the same, or the client misses a detail of the answer.

Whatever would change what the model is told is refused instead: status 400, before anything is
sent or charged, with the name of the field. So it goes with

- documents, sounds, videos and pictures in a form that the model's vendor cannot read, and files
  that are kept at another vendor;
- tools that a vendor runs itself (code, files, computers, MCP); only web search has a counterpart;
- what is kept at a vendor: earlier responses, conversations, stored prompts, cached content,
  background work;
- more than one answer, stop sequences, pictures or sounds as an answer, where the vendor has no
  such thing;
- fields that another protocol's request has and nobody knows to be advisory.

A field of value null, or of the value that it has anyway, asks for nothing and is never refused.
Ratings of a vendor's content filter, and what its search found beyond the citations, stay with the
vendor's own protocol and are not counted as losses.
`make docs` writes this page.
"""
_ANSWER = "answer_"
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


def losses_page(losses: Mapping[str, str]) -> str:
    """Return the page of losses: a table for requests and one for answers, in the list's order."""
    tables = {"Requests": "", "Answers": ""}
    for code, sentence in losses.items():
        title = "Answers" if code.startswith(_ANSWER) else "Requests"
        tables[title] += f"| `{code}` | {sentence} |\n"
    parts = [
        f"\n## {title}\n\n| code | what is lost |\n| --- | --- |\n{rows}"
        for title, rows in tables.items()
    ]
    return _LOSSES_HEAD + "".join(parts)


def is_fresh(target: Path, wanted: str, root: Path = ROOT) -> bool:
    """Say whether a document is what it should be, and print it when it is not."""
    if target.is_file() and target.read_text() == wanted:
        return True
    print(f"{target.relative_to(root)}:1: out of date, run make docs")
    return False


def main() -> int:
    """Write the documents, or with `--check` only say which are out of date."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    try:
        wanted = {DECISIONS / "README.md": index(DECISIONS), LOSSES_PAGE: losses_page(LOSSES)}
    except DocsError as error:
        print(error)
        return 1
    if check:
        stale = [target for target, text in wanted.items() if not is_fresh(target, text)]
        return 1 if stale else 0
    for target, text in wanted.items():
        target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
