"""Owns the traces of web searches in a history that goes to another vendor than the one that searched.

A client sends them back as part of the answers that it got, perhaps of a translation. What was found
stands in the answers' text; the record of the search itself means nothing to another vendor.
"""

from msgspec import structs

from tollbridge.protocols.conversation import Opaque, Part, Turn, Wire
from tollbridge.protocols.losses import Losses


def untraced(turns: list[Turn], losses: Losses) -> list[Turn]:
    """Return the turns without the searches that vendors made; the given turns stay as they are."""
    if not any(_is_trace(part) for turn in turns for part in turn.parts):
        return turns
    kept: list[Turn] = []
    for turn in turns:
        parts = [part for part in turn.parts if not _is_trace(part)]
        for _ in range(len(turn.parts) - len(parts)):
            losses.note("search_trace")
        if len(parts) == len(turn.parts):
            kept.append(turn)
        elif parts:
            kept.append(structs.replace(turn, parts=parts))
    return kept


def _is_trace(part: Part) -> bool:
    if not isinstance(part, Opaque):
        return False
    if part.wire is Wire.RESPONSES:
        return part.kind == "web_search_call"
    if part.wire is not Wire.MESSAGES:
        return False
    if part.kind == "server_tool_use":
        return part.raw.get("name") == "web_search"
    return part.kind == "web_search_tool_result"
