"""Owns the pretend vendor's embeddings, OpenAI's and Gemini's, and OpenAI's moderations.

Pure: values in, bytes out. The same text always has the same vector. It must not know of HTTP.
"""

import base64
import hashlib
import struct
from typing import Any

import msgspec

from tollbridge.demo.fake_fields import mapping, text_of
from tollbridge.demo.fake_script import BadAsk, Script
from tollbridge.demo.fake_speech import prompt_tokens

_encode = msgspec.json.encode
_DIMENSIONS = 8
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_FLAGGED = "violence"


class EmbeddingsAsk(msgspec.Struct, frozen=True):
    """The fields of an embeddings or moderations call that the pretend vendor reads."""

    model: str = ""
    input: Any = None
    encoding_format: str | None = None
    dimensions: int | None = None
    fake: msgspec.Raw = msgspec.Raw()


decoder = msgspec.json.Decoder(EmbeddingsAsk)


def tokens_of(value: Any) -> int:
    """Return what an input counts as: a list of token numbers their number, else a quarter of bytes."""
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return len(value)
    return prompt_tokens(value.encode() if isinstance(value, str) else _encode(value))


def vector(value: Any, dimensions: int) -> list[float]:
    """Return the vector of an input: numbers from -1 to 1, made of its hash."""
    found: list[float] = []
    turn = 0
    while len(found) < dimensions:
        digest = hashlib.sha256(_encode([value, turn])).digest()
        found += [(byte - 128) / 128 for byte in digest]
        turn += 1
    return found[:dimensions]


def embeddings(asked: EmbeddingsAsk, script: Script) -> bytes:
    """Return the answer for one input or several; BadAsk when there is none."""
    inputs = inputs_of(asked.input)
    size = asked.dimensions or _DIMENSIONS
    vectors: list[Any] = [vector(one, size) for one in inputs]
    if asked.encoding_format == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{size}f", *one)).decode() for one in vectors]
    data = [
        {"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)
    ]
    whole: dict[str, Any] = {"object": "list", "data": data, "model": script.model or asked.model}
    if script.usage != "none":
        spent = sum(map(tokens_of, inputs))
        spent = spent if script.prompt_tokens is None else script.prompt_tokens
        spent = -7 if script.usage == "nonsense" else spent
        whole["usage"] = {"prompt_tokens": spent, "total_tokens": spent}
    return _encode(whole)


def inputs_of(given: Any) -> list[Any]:
    """Return the inputs: texts, or lists of token numbers; BadAsk when there is none."""
    if given in (None, "", []):
        raise BadAsk("'input' is a required property.")
    if isinstance(given, list) and not all(isinstance(one, int) for one in given):
        return given
    return [given]


def moderations(asked: EmbeddingsAsk, serial: int) -> bytes:
    """Return the verdict on each text; the word "violence" is flagged. BadAsk without input."""
    inputs = inputs_of(asked.input)
    if inputs and all(isinstance(one, dict) for one in inputs):
        inputs = [inputs]
    model = asked.model or "omni-moderation-latest"
    results = [_verdict(_encode(one).decode()) for one in inputs]
    return _encode({"id": f"modr-fake{serial}", "model": model, "results": results})


def _verdict(text: str) -> dict[str, Any]:
    bad = _FLAGGED in text.lower()
    return {
        "flagged": bad,
        "categories": {name: bad and name == _FLAGGED for name in _CATEGORIES},
        "category_scores": {name: float(bad and name == _FLAGGED) for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


class GeminiEmbedAsk(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of embedContent and, under `requests`, of batchEmbedContents."""

    content: Any = None
    requests: list[dict[str, Any]] | None = None
    output_dimensionality: int | None = None
    fake: msgspec.Raw = msgspec.Raw()


gemini_decoder = msgspec.json.Decoder(GeminiEmbedAsk)


def gemini_embedding(asked: GeminiEmbedAsk, script: Script) -> bytes:
    """Return the vector of one content; BadAsk when there is none."""
    if asked.content is None:
        raise BadAsk("content is required")
    made = _gemini_vector(asked.content, asked.output_dimensionality)
    return _encode({"embedding": made, **_gemini_usage([asked.content], script)})


def gemini_embeddings(asked: GeminiEmbedAsk, script: Script) -> bytes:
    """Return a vector for each request; BadAsk when there is none."""
    if not asked.requests:
        raise BadAsk("requests must not be empty")
    contents = [one.get("content") for one in asked.requests]
    sizes = [one.get("outputDimensionality") for one in asked.requests]
    made = [_gemini_vector(one, size) for one, size in zip(contents, sizes, strict=True)]
    return _encode({"embeddings": made, **_gemini_usage(contents, script)})


def _gemini_vector(content: Any, size: int | None) -> dict[str, Any]:
    return {"values": vector(_gemini_text(content), size or _DIMENSIONS)}


def _gemini_text(content: Any) -> str:
    return text_of(mapping(content).get("parts"))


def _gemini_usage(contents: list[Any], script: Script) -> dict[str, Any]:
    if script.usage == "none":
        return {}
    spent = sum(tokens_of(_gemini_text(one)) for one in contents)
    spent = spent if script.prompt_tokens is None else script.prompt_tokens
    details = [{"modality": "TEXT", "tokenCount": spent}]
    return {"usageMetadata": {"promptTokenCount": spent, "promptTokenDetails": details}}
