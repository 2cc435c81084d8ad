"""Owns embeddings in Gemini's words and in OpenAI's, and the way from each to the other.

One text is one request of a batch: a list of texts must never become one vector. Pure values; must
not know accounts, prices or how bytes travel.
"""

import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any, Final

import msgspec

from tollbridge.protocols.chat_fields import integer_in, list_in, object_in, rest_of, text_in
from tollbridge.protocols.chat_usage import usage_from as openai_usage
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_parts import objects
from tollbridge.protocols.gemini_usage import usage_from
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.usage import Usage

_TOKEN_BYTES: Final = 4
"""UTF-8 bytes of a usual text that are about one token."""

_FLOAT_BYTES: Final = 4
_FLOAT_MAX: Final = 3.4e38
_UNSAID: Final = (None, "", "TASK_TYPE_UNSPECIFIED")


class Embedding(msgspec.Struct, kw_only=True):
    """A request for the vectors of texts.

    `batch`: the client's Gemini endpoint was batchEmbedContents, which answers with a list even for
    one text; `base64`: an OpenAI client wants vectors as little-endian floats of 32 bits.
    """

    model: str
    texts: list[str]
    dimensions: int | None = None
    batch: bool = True
    base64: bool = False
    task: str | None = None
    title: str | None = None
    extra: Json = {}


class Vectors(msgspec.Struct, kw_only=True):
    """The answer: one vector a text; `usage` is an estimate where the vendor did not say it."""

    vectors: list[list[float]]
    usage: Usage
    estimated: bool = False


# ------------------------------------------------------------ requests


def read_gemini_ask(body: Json, *, model: str, batch: bool) -> Embedding:
    """Read embedContent or batchEmbedContents; FieldError with the field's name.

    Raises Untranslatable where the requests of a batch want different things: no other vendor can be
    asked so.
    """
    fields = spelled(body)
    if not batch:
        return _one(fields, model, "")
    requests = list_in(fields, "requests")
    if not requests:
        raise FieldError("requests", "at least one request")
    read: list[Embedding] = []
    for at, given in enumerate(requests):
        if not isinstance(given, dict):
            raise FieldError(f"requests[{at}]", "an object")
        read.append(_one(spelled(given), model, f"requests[{at}]."))
    first = read[0]
    for at, one in enumerate(read):
        if _wishes(one) != _wishes(first):
            raise Untranslatable(f"requests[{at}]", "All requests of a batch must want the same.")
    texts = [text for one in read for text in one.texts]
    return msgspec.structs.replace(first, texts=texts, batch=True)


def _one(given: Json, model: str, where: str) -> Embedding:
    content = spelled(object_in(given, "content", where))
    parts = list_in(content, "parts", where + "content.")
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    said = [text for text in texts if isinstance(text, str)]
    if not parts or len(said) < len(parts):
        raise FieldError(f"{where}content.parts", "texts")
    config = spelled(object_in(given, "embedContentConfig", where))
    wishes = {**config, **given}
    return Embedding(
        model=model,
        texts=["".join(said)],
        dimensions=integer_in(wishes, "outputDimensionality", where),
        batch=False,
        task=text_in(wishes, "taskType", where),
        title=text_in(wishes, "title", where),
        extra=rest_of(wishes, *_READ),
    )


_READ: Final = (
    "content", "embedContentConfig", "outputDimensionality", "taskType", "title", "model",
)  # fmt: skip


def _wishes(ask: Embedding) -> tuple[Any, ...]:
    return ask.dimensions, ask.task, ask.title, ask.extra


def write_gemini_ask(ask: Embedding, model: str) -> Json:
    """Return the body of batchEmbedContents, or of embedContent where that was asked for."""
    requests: list[Json] = []
    for text in ask.texts:
        made: Json = {"model": f"models/{model}", "content": {"parts": [{"text": text}]}}
        for name, value in (
            ("outputDimensionality", ask.dimensions),
            ("taskType", ask.task),
            ("title", ask.title),
        ):
            if value is not None:
                made[name] = value
        requests.append(made)
    return {"requests": requests} if ask.batch else requests[0]


def read_openai_ask(body: Json) -> Embedding:
    """Read a request of OpenAI's embeddings; FieldError with the field's name.

    Raises Untranslatable for tokens instead of text: they are of one vendor's alphabet.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise FieldError("input", "a string or an array of strings")
    if any(isinstance(text, int | list) for text in texts):
        raise Untranslatable("input", "This model's vendor takes texts, not tokens.")
    if not all(isinstance(text, str) and text for text in texts):
        raise FieldError("input", "a string or an array of strings, none empty")
    form = text_in(body, "encoding_format")
    if form not in {None, "float", "base64"}:
        raise FieldError("encoding_format", '"float" or "base64"')
    return Embedding(
        model=text_in(body, "model") or "",
        texts=texts,
        dimensions=integer_in(body, "dimensions"),
        base64=form == "base64",
        extra=rest_of(body, "input", "model", "encoding_format", "dimensions", "user"),
    )


def write_openai_ask(ask: Embedding, model: str) -> Json:
    """Return the body for OpenAI's embeddings.

    Raises Untranslatable for a task or a title: they change the vectors and have no word there.
    """
    for name, value in (("taskType", ask.task), ("title", ask.title), *ask.extra.items()):
        if value not in _UNSAID:
            raise Untranslatable(name, f"This model's vendor has no word for {name}.")
    body: Json = {"model": model, "input": ask.texts, "encoding_format": "float"}
    return body if ask.dimensions is None else {**body, "dimensions": ask.dimensions}


# ------------------------------------------------------------ answers


def read_gemini_answer(body: Json, ask: Embedding) -> Vectors | None:
    """Read either endpoint's answer; None when it has not one vector a text."""
    fields = spelled(body)
    given = [fields["embedding"]] if "embedding" in fields else fields.get("embeddings")
    vectors = [_floats(one.get("values")) for one in objects(given)]
    return _answer(vectors, usage_from(fields.get("usageMetadata")), ask)


def read_openai_answer(body: Json, ask: Embedding) -> Vectors | None:
    """Read the answer of OpenAI's embeddings in either encoding; None as above.

    The vectors are put in the order of their indexes.
    """
    data = objects(body.get("data"))
    data.sort(key=_index)
    vectors = [_floats(one.get("embedding")) for one in data]
    return _answer(vectors, openai_usage(body.get("usage")), ask)


def _answer(vectors: list[list[float]], usage: Usage | None, ask: Embedding) -> Vectors | None:
    if len(vectors) != len(ask.texts) or not all(vectors):
        return None
    if usage is not None:
        return Vectors(vectors=vectors, usage=usage)
    tokens = sum(-(-len(text.encode(errors="replace")) // _TOKEN_BYTES) for text in ask.texts)
    return Vectors(vectors=vectors, usage=Usage(input=tokens), estimated=True)


def _index(one: Json) -> int:
    index = one.get("index")
    return index if type(index) is int else 0


def _floats(value: object) -> list[float]:
    """Return a vector of numbers or of base64; an empty one for anything else."""
    if isinstance(value, str):
        try:
            raw = b64decode(value, validate=True)
            return list(struct.unpack(f"<{len(raw) // _FLOAT_BYTES}f", raw))
        except (Base64Error, ValueError, struct.error):
            return []
    if not isinstance(value, list):
        return []
    return value if all(_fits(one) for one in value) else []


def _fits(value: object) -> bool:
    """Say whether a value is a number that 32 bits can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_FLOAT_MAX <= value <= _FLOAT_MAX


def write_gemini_answer(answer: Vectors, ask: Embedding) -> Json:
    """Return the answer of the endpoint that was asked; figures only where they are known."""
    values = [{"values": vector} for vector in answer.vectors]
    body: Json = {"embeddings": values} if ask.batch else {"embedding": values[0]}
    if not answer.estimated:
        body["usageMetadata"] = {"promptTokenCount": answer.usage.tokens_in()}
    return body


def write_openai_answer(answer: Vectors, ask: Embedding, model: str) -> Json:
    """Return the answer for an OpenAI client, whose SDK needs the figures even if estimated."""
    tokens = answer.usage.tokens_in()
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": _encoded(vector, ask)}
            for at, vector in enumerate(answer.vectors)
        ],
        "model": text_or_none(model) or ask.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(vector: list[float], ask: Embedding) -> list[float] | str:
    if not ask.base64:
        return vector
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
