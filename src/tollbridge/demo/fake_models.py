"""Owns the pretend vendor's lists of models, in each vendor's shape.

Pure: values in, bytes out. It must not know of HTTP.
"""

from typing import Any

import msgspec

_encode = msgspec.json.encode
_SINCE = 1_700_000_000
MODELS = (
    "gpt-test",
    "gpt-image-test",
    "claude-test",
    "gemini-test",
    "embedding-test",
    "whisper-test",
)
"""The models that the pretend vendor claims to have; it answers for any other as well."""


def openai(name: str | None) -> bytes | None:
    """Return OpenAI's list, or one of its models; None when there is no such model."""
    return _one(name, _openai, {"object": "list"}, "data")


def anthropic(name: str | None) -> bytes | None:
    """Return Anthropic's list, or one of its models; None when there is no such model."""
    pages = {"first_id": MODELS[0], "last_id": MODELS[-1], "has_more": False}
    return _one(name, _anthropic, pages, "data")


def gemini(name: str | None) -> bytes | None:
    """Return Gemini's list, or one of its models; None when there is no such model."""
    return _one(name, _gemini, {}, "models")


def _one(name: str | None, shape: Any, around: dict[str, Any], member: str) -> bytes | None:
    if name is None:
        return _encode({**around, member: [shape(one) for one in MODELS]})
    return _encode(shape(name)) if name in MODELS else None


def _openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _SINCE, "owned_by": "fake"}


def _anthropic(name: str) -> dict[str, Any]:
    made = {"type": "model", "id": name, "display_name": name, "lifecycle": "active"}
    return {**made, "created_at": "2026-01-01T00:00:00Z"}


def _gemini(name: str) -> dict[str, Any]:
    verbs = ["generateContent", "countTokens", "embedContent", "batchEmbedContents"]
    made = {"name": f"models/{name}", "version": "001", "displayName": name}
    limits = {"inputTokenLimit": 1_000_000, "outputTokenLimit": 65_536}
    return {**made, **limits, "supportedGenerationMethods": verbs}
