"""Owns the list of what the recorded traffic loses on its way, kept in losses.txt beside it.

`python -m tests.conformance.losses --write` writes the list anew; the test compares it with what
is true now, so that no change of a translation goes unseen.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path

from tests.conformance import crossing, dialogues, plainly
from tests.conformance.dialogues import PAIRS, Dialogue
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Untranslatable

LIST = Path(__file__).with_name("losses.txt")
# Beyond text, thoughts and calls of the client's own tools; `server:` marks a vendor's own tools.
_BEYOND = frozenset({"citations", "grounding", "inline_data_out", "audio_out", "n>1"})
_HEAD = """\
What recorded traffic loses on its way between two protocols, by tests/conformance/losses.py.

Answers: recordings of a vendor of the first protocol, told to a client of the second. "Text and
tools" are those without media, searches and tools that the vendor runs.
Requests: recordings of a client of the first protocol, sent to a vendor of the second; a field by
which a request is refused is the client's.
"""


def answers(corpus: Path, up: str, client: str) -> tuple[Counter[str], int, int, int]:
    """Return losses by code, all recordings, those of text and tools, those of them without loss."""
    lost: Counter[str] = Counter()
    every = plain = whole = 0
    for one in dialogues.answered(corpus):
        if one.wire != up or plainly.is_faulty(one.objects):
            continue
        every += 1
        losses = _told(one, client)
        lost.update(losses.keys())
        if is_plain(one):
            plain += 1
            whole += not losses
    return lost, every, plain, whole


def is_plain(one: Dialogue) -> bool:
    """Say whether an answer is text, thoughts and calls of the client's own tools."""
    return not any(name in _BEYOND or name.startswith("server:") for name in one.features)


def requests(corpus: Path, client: str, up: str) -> tuple[Counter[str], Counter[str], int]:
    """Return losses by code, refusals by field, and all recorded requests that can be read."""
    lost: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    every = 0
    for one in dialogues.load(corpus):
        if one.wire != client or one.request is None:
            continue
        try:
            lost.update(crossing.requested(one, up).losses.counts.keys())
        except Untranslatable as error:
            refused[error.name] += 1
        except FieldError:
            continue
        every += 1
    return lost, refused, every


def written(corpus: Path) -> str:
    """Return the whole list."""
    lines = [_HEAD]
    for up, client in PAIRS:
        lost, every, plain, whole = answers(corpus, up, client)
        lines.append(f"\nanswers {up} -> {client}: {every} recordings")
        lines.append(f"    text and tools without loss: {whole} of {plain}")
        lines += [f"    lost {code}: {count}" for code, count in sorted(lost.items())]
    for client, up in PAIRS:
        lost, refused, every = requests(corpus, client, up)
        lines.append(f"\nrequests {client} -> {up}: {every} recordings")
        lines += [f"    refused {name}: {count}" for name, count in sorted(refused.items())]
        lines += [f"    lost {code}: {count}" for code, count in sorted(lost.items())]
    return "\n".join(lines) + "\n"


def _told(one: Dialogue, client: str) -> dict[str, int]:
    if one.streamed:
        return crossing.streamed(one, client, [one.sse or b""]).losses
    return crossing.whole(one, client, json.dumps(one.body).encode()).losses


def _corpus() -> Path:
    named = os.environ.get("TOLLBRIDGE_CORPUS")
    root = Path(__file__).resolve().parents[2]
    return Path(named) if named else root.parent / "shared" / "corpus"


def _main() -> None:
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.conformance.losses --write")
    LIST.write_text(written(_corpus()))


if __name__ == "__main__":
    _main()
