"""Owns small requests of each feature with what each other vendor is to be told, in golden/*.json.

The requests are written by hand; `python -m tests.conformance.golden --write` writes anew what they
become, for a person to read against the mapping rules before it is kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.conformance import crossing
from tests.conformance.dialogues import WIRES
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.translation import Translation, read_request

FOLDER = Path(__file__).with_name("golden")
# Gemini's path names the model, so a client of it is given one here.
_MODEL = "gemini-2.5-flash"


def files() -> list[Path]:
    """Return the files of all features."""
    return sorted(FOLDER.glob("*.json"))


def told(wire: str, request: Any) -> dict[str, Any]:
    """Return by protocol what its vendor is told: the body and what is lost, or the refusal."""
    return {other: _told(wire, request, other) for other in WIRES if other != wire}


def _told(wire: str, request: Any, other: str) -> Any:
    asked = read_request(Wire(wire), json.dumps(request).encode(), model=_MODEL)
    to = crossing.addressee(other, crossing.MODELS[other])
    try:
        way = Translation(asked, Wire(other), to)
    except Untranslatable as error:
        return {"refused": error.name}
    body = json.loads(way.body)
    lost = sorted(way.losses.counts)
    return {"body": body, "lost": lost} if lost else {"body": body}


def _write() -> None:
    for path in files():
        feature = json.loads(path.read_text())
        for wire, case in feature.items():
            case["told"] = told(wire, case["request"])
        path.write_text(json.dumps(feature, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.conformance.golden --write")
    _write()
