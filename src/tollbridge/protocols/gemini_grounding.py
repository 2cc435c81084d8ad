"""Owns the places that a Gemini answer says its text is from, and those that we say in its words.

Gemini counts in UTF-8 bytes, the neutral model in characters. Nothing here raises, whatever an upstream
writes. Must not know how the rest of an answer is written.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from tollbridge.protocols.conversation import Citation, Json
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_parts import objects


def citations_of(candidate: Json, by_part: Mapping[int, str]) -> list[tuple[int, Citation]]:
    """Return what a candidate cites as (which text, citation); its texts are given by part.

    Without a place in the text it is the last text's.
    """
    texts = _Texts(by_part)
    if not texts.texts:
        return []
    found: list[tuple[int, Citation]] = []
    grounding = spelled(candidate.get("groundingMetadata"))
    pages = [_page(chunk) for chunk in objects(grounding.get("groundingChunks"))]
    placed: set[int] = set()
    for given in objects(grounding.get("groundingSupports")):
        support = spelled(given)
        segment = spelled(support.get("segment"))
        for number in _numbers(support.get("groundingChunkIndices")):
            if number < len(pages) and pages[number]:
                placed.add(number)
                found.append(texts.placed(pages[number], segment))
    found += [
        (len(texts.texts) - 1, Citation(url=page["uri"], title=_text(page.get("title"))))
        for number, page in enumerate(pages)
        if page and number not in placed
    ]
    metadata = spelled(candidate.get("citationMetadata"))
    for given in objects(metadata.get("citations") or metadata.get("citationSources")):
        if isinstance(given.get("uri"), str):
            found.append(texts.placed(given, given))
    return found


def _page(chunk: Json) -> Json:
    page = chunk.get("web")
    return page if isinstance(page, dict) and isinstance(page.get("uri"), str) else {}


class _Texts:
    """The texts of a candidate, each as bytes, and where each begins in the whole."""

    def __init__(self, by_part: Mapping[int, str]) -> None:
        self._ordinals = {part: at for at, part in enumerate(by_part)}
        self.texts = [text.encode(errors="replace") for text in by_part.values()]
        self._starts = [0]
        for text in self.texts[:-1]:
            self._starts.append(self._starts[-1] + len(text))

    def placed(self, page: Json, segment: Json) -> tuple[int, Citation]:
        """Return a citation at the place of a segment: bytes of one part, or of the whole text."""
        start, end = _number(segment.get("startIndex")) or 0, _number(segment.get("endIndex"))
        at = self._ordinals.get(_number(segment.get("partIndex")) or -1)
        if at is None:
            at = bisect_right(self._starts, start) - 1
            start -= self._starts[at]
            end = None if end is None else end - self._starts[at]
        text = self.texts[at]
        url, title = page["uri"], _text(page.get("title"))
        if end is None or not start < end <= len(text):
            return at, Citation(url=url, title=title)
        first = len(text[:start].decode(errors="ignore"))
        last = len(text[:end].decode(errors="ignore"))
        return at, Citation(url=url, title=title, start=first, end=last)


def grounding_fields(cited: list[tuple[int, str, Citation]]) -> Json:
    """Return the `groundingMetadata` that says these (part, its text, citation); {} for none."""
    pages: dict[str, int] = {}
    chunks: list[Json] = []
    supports: list[Json] = []
    for part, text, citation in cited:
        if citation.url not in pages:
            pages[citation.url] = len(chunks)
            chunks.append({"web": {"uri": citation.url, "title": citation.title}})
        start, end = citation.start, citation.end
        if start is not None and end is not None and 0 <= start < end <= len(text):
            before = len(text[:start].encode(errors="replace"))
            said = text[start:end]
            segment: Json = {"endIndex": before + len(said.encode(errors="replace")), "text": said}
            # Like Google's, these are left out when they are 0.
            segment |= {"startIndex": before} if before else {}
            segment |= {"partIndex": part} if part else {}
            supports.append(
                {"segment": segment, "groundingChunkIndices": [pages[citation.url]]},
            )
    if not chunks:
        return {}
    return {"groundingChunks": chunks, **({"groundingSupports": supports} if supports else {})}


def _numbers(value: object) -> list[int]:
    return [n for n in value if type(n) is int and n >= 0] if isinstance(value, list) else []


def _number(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
