"""Owns which paths are metered calls and what each speaks. Pure: tables and a look-up.

Path families: /v1, /v1beta, /claude/v1, /gemini/{version} (contract.md).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tollbridge.protocols.conversation import Wire
from tollbridge.relay.chat_dialects import CHAT, COMPLETIONS
from tollbridge.relay.count_dialects import MESSAGES_COUNT, RESPONSES_COUNT, Counter
from tollbridge.relay.dialects import Dialect
from tollbridge.relay.embedding_dialects import EMBEDDINGS, GeminiEmbeddings
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.media_dialects import MEDIA
from tollbridge.relay.messages_dialects import MESSAGES
from tollbridge.relay.passthrough import is_passed
from tollbridge.relay.responses_dialects import COMPACT, RESPONSES

_ROUTES: Mapping[str, Dialect] = MappingProxyType(
    {
        "/v1/chat/completions": CHAT,
        "/v1/completions": COMPLETIONS,
        "/v1/responses": RESPONSES,
        "/v1/responses/compact": COMPACT,
        "/v1/responses/input_tokens": RESPONSES_COUNT,
        "/v1/messages": MESSAGES,
        "/v1/messages/count_tokens": MESSAGES_COUNT,
        "/claude/v1/messages": MESSAGES,
        "/claude/v1/messages/count_tokens": MESSAGES_COUNT,
        "/v1/embeddings": EMBEDDINGS,
        **MEDIA,
    }
)
PATHS = frozenset(_ROUTES)

# The model's name becomes part of a path: what could leave its segment is no name.
_GEMINI = re.compile(
    r"/(?:gemini/)?(v1(?:beta|alpha)?)/models/([A-Za-z0-9][A-Za-z0-9._-]{0,199})"
    r":(generateContent|streamGenerateContent|embedContent|batchEmbedContents|countTokens)"
)
_EMBEDDINGS = frozenset({"embedContent", "batchEmbedContents"})


def match(path: str) -> Dialect | None:
    """Return the dialect of a metered path, None for every other path."""
    return _ROUTES.get(path) or _gemini(path)


def is_relayed(method: str, path: str) -> bool:
    """Whether the edge hands such a request to the relay."""
    metered = method == "POST" and (path in _ROUTES or _GEMINI.fullmatch(path) is not None)
    return metered or is_passed(method, path)


def _gemini(path: str) -> Dialect | None:
    found = _GEMINI.fullmatch(path)
    if found is None:
        return None
    version, model, action = found.groups()
    if action in _EMBEDDINGS:
        batch = action == "batchEmbedContents"
        return cast("Dialect", GeminiEmbeddings(version, model, batch=batch))
    if action == "countTokens":
        return cast("Dialect", Counter(Wire.GEMINI, version, model))
    call = GeminiCall(version, model, stream=action == "streamGenerateContent")
    return cast("Dialect", call)
