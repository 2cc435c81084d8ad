"""Owns what a path says before any route is looked up: its surface, and what was perhaps meant.

Must not know which routes exist in this process: a wrong path has a surface too, so that its 404
speaks the client's protocol.
"""

import re

from tollbridge.core.errors.kinds import Surface

_PATH_LIMIT = 512
_NATIVE = frozenset({"v1beta", "v1alpha", "gemini"})
_FAMILIES = _NATIVE | {"v1", "claude"}
_MEDIA = frozenset({"images", "audio", "embeddings", "moderations", "realtime"})

# Endpoints that people call without /v1: nothing else of ours may ever live under these names.
_CALLS = frozenset(
    {
        ("chat", "completions"),
        ("completions",),
        ("responses",),
        ("responses", "compact"),
        ("responses", "input_tokens"),
        ("messages",),
        ("messages", "count_tokens"),
        ("images", "generations"),
        ("images", "edits"),
        ("embeddings",),
        ("audio", "speech"),
        ("audio", "transcriptions"),
        ("audio", "translations"),
        ("moderations",),
        ("realtime",),
    }
)
# Endpoints that are named only below a family: the console has pages with such names.
_LISTS = frozenset(
    {
        ("models",),
        ("balance",),
        ("key",),
        ("dashboard", "billing", "subscription"),
        ("dashboard", "billing", "usage"),
        ("dashboard", "billing", "credit_grants"),
    }
)
# Clients of balances and of prices ask without a version too, and are answered.
_AT_ROOT = frozenset(
    {
        *(f"/dashboard/billing/{name}" for name in ("subscription", "usage", "credit_grants")),
        *("/api/pricing", "/api/status"),
    }
)
_WITH_ID = frozenset({"models", "responses", "receipts"})
_CLAUDE = frozenset({("messages",), ("messages", "count_tokens"), ("models",)})
_SPELLINGS = {
    ("chat",): ("chat", "completions"),
    ("chat", "completion"): ("chat", "completions"),
    ("completion",): ("completions",),
    ("response",): ("responses",),
    ("message",): ("messages",),
    ("messages", "count-tokens"): ("messages", "count_tokens"),
    ("count_tokens",): ("messages", "count_tokens"),
    ("embedding",): ("embeddings",),
    ("moderation",): ("moderations",),
    ("model",): ("models",),
    ("image", "generations"): ("images", "generations"),
    ("images", "generation"): ("images", "generations"),
    ("image", "edits"): ("images", "edits"),
    ("images", "edit"): ("images", "edits"),
    ("audio", "transcription"): ("audio", "transcriptions"),
    ("audio", "translation"): ("audio", "translations"),
}
# What base URLs wrongly carry in front of an endpoint.
_VERSIONS = frozenset({"v1", "v1beta", "v1alpha"})
_VERSIONED = _VERSIONS | {"claude", "gemini"}
_PREFIXES = _VERSIONED | {"api", "openai", "anthropic"}
_ACTION = re.compile(
    r"[\w.\-]{1,200}:(?:generateContent|streamGenerateContent|countTokens"
    r"|embedContent|batchEmbedContents)",
    re.ASCII,
)
_SAFE_ID = re.compile(r"[\w.:\-]{1,200}", re.ASCII)


def surface_of(path: str) -> Surface:
    """Return the surface of an API path, right or wrong; `chat` when nothing says otherwise."""
    return _surface(_segments(right_path(path) or path))


def is_api_path(path: str) -> bool:
    """Tell whether a path must be answered as the API, with JSON: a family's, or a mistaken one."""
    path = path.partition("?")[0]
    segments = _segments(path)
    if not segments:
        return False
    return segments[0] in _FAMILIES or path in _AT_ROOT or right_path(path) is not None


def right_path(path: str) -> str | None:
    """Name the path that was perhaps meant; None when `path` is right or beyond guessing.

    Only names from our own tables and plain ids come back, never other text of the client's.
    """
    path = path.partition("?")[0]
    if not path or len(path) > _PATH_LIMIT:
        return None
    segments = _segments(path)
    guess = _native_gemini(segments) or _endpoint(segments)
    return guess if guess != path else None


def _segments(path: str) -> list[str]:
    return [part for part in path.partition("?")[0].split("/") if part]


def _surface(segments: list[str]) -> Surface:
    family, name = (*segments, "", "")[:2]
    if family in _NATIVE:
        # Google's own base URL for OpenAI's SDK ends so.
        return Surface.CHAT if name == "openai" else Surface.GEMINI
    if family == "claude":
        return Surface.MESSAGES
    if family != "v1":
        return Surface.CHAT
    if name == "models" and _ACTION.fullmatch(segments[-1]):
        return Surface.GEMINI
    if name in _MEDIA:
        return Surface.MEDIA
    if name in {"messages", "responses"}:
        return Surface(name)
    return Surface.CHAT


def _native_gemini(segments: list[str]) -> str | None:
    """Guess a native Gemini call: its last segment is `model:action`, which nothing else has."""
    if not segments or not _ACTION.fullmatch(segments[-1]):
        return None
    head = [part.lower() for part in segments[:-1]]
    if not set(head) <= _PREFIXES | {"models", "model"}:
        return None
    return f"{_native_family(head)}/models/{segments[-1]}"


def _native_family(head: list[str]) -> str:
    """Name Gemini's family as the client meant it: below /gemini or not, the version it said last."""
    version = next((part for part in reversed(head) if part in _VERSIONS), "v1beta")
    return f"/gemini/{version}" if head[:1] == ["gemini"] else f"/{version}"


def _endpoint(segments: list[str]) -> str | None:
    """Guess an endpoint that ends the path, or carries an id, behind any known prefixes."""
    lower = [part.lower() for part in segments]
    start = 0
    while start < len(lower) and lower[start] in _PREFIXES:
        start += 1
    head, tail = lower[:start], tuple(lower[start:])
    # The control plane lives below /api and has lists of the same names.
    versioned = not _VERSIONED.isdisjoint(head) and "api" not in head
    if not _NATIVE.isdisjoint(head[:1]) and "openai" not in head:
        native = _native_list(head, segments[start:])
        if native is not None:
            return native
    found = _known(tail, versioned)
    if found is not None:
        return _join(_family(head, found), found)
    return _with_id(head, segments[start:]) if versioned and tail else None


def _known(tail: tuple[str, ...], versioned: bool) -> tuple[str, ...] | None:
    """Return the endpoint that `tail` means, also when a base URL already ended with another one."""
    for cut in range(len(tail)):
        rest = _SPELLINGS.get(tail[cut:], tail[cut:])
        known = rest in _CALLS or (versioned and rest in _LISTS)
        # A lone word at the root must be exact: /message or /model may be a page.
        exact = versioned or rest == tail
        if known and exact and (cut == 0 or _is_base(tail[:cut])):
            return rest
    return None


def _is_base(words: tuple[str, ...]) -> bool:
    """Tell whether `words` is an endpoint followed by at most a version, as a wrong base URL is."""
    while words and words[-1] in _VERSIONS:
        words = words[:-1]
    return words in _CALLS


def _family(head: list[str], endpoint: tuple[str, ...]) -> str:
    return "/claude/v1" if "claude" in head and endpoint in _CLAUDE else "/v1"


def _native_list(head: list[str], tail: list[str]) -> str | None:
    """Guess Gemini's list of models, or one of it; plain ids only."""
    name, *ids = tail or ("",)
    if name.lower() not in {"models", "model"} or not all(map(_SAFE_ID.fullmatch, ids)):
        return None
    return "/".join((_native_family(head), "models", *ids))


def _with_id(head: list[str], tail: list[str]) -> str | None:
    """Guess a path below an endpoint that takes an id; the ids are plain or there is no guess."""
    name, *rest = tail
    name = name.lower()
    if name not in _WITH_ID or not rest or not all(_SAFE_ID.fullmatch(part) for part in rest):
        return None
    return "/".join((_family(head, (name,)), name, *rest))


def _join(family: str, endpoint: tuple[str, ...]) -> str:
    return "/".join((family, *endpoint))
