"""Owns the reading of a Gemini request's settings: how long, how random, how thoughtful, what form.

Raises FieldError with the field's name. Must not know contents or tools.
"""

from typing import Any, Final

from tollbridge.protocols.chat_fields import (
    boolean_in,
    integer_in,
    list_in,
    number_in,
    object_in,
    rest_of,
    text_in,
)
from tollbridge.protocols.conversation import Conversation, Format, Json, Thinking
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_schemas import json_schema
from tollbridge.protocols.json_peek import FieldError

CONFIG: Final = "generationConfig"
_WHERE: Final = "generationConfig."
_JSON: Final = "application/json"
_SCHEMAS: Final = ("responseJsonSchema", "_responseJsonSchema", "responseSchema")


def read_config(body: Json, into: Conversation) -> None:
    """Note the settings of a request; what has no field of its own goes into `extra`."""
    given = spelled(object_in(body, CONFIG))
    into.max_output = integer_in(given, "maxOutputTokens", _WHERE)
    into.temperature = number_in(given, "temperature", _WHERE)
    into.top_p = number_in(given, "topP", _WHERE)
    top_k = number_in(given, "topK", _WHERE)
    into.top_k = None if top_k is None else int(top_k)
    into.stop = _texts(given, "stopSequences")
    into.seed = integer_in(given, "seed", _WHERE)
    into.presence_penalty = number_in(given, "presencePenalty", _WHERE)
    into.frequency_penalty = number_in(given, "frequencyPenalty", _WHERE)
    into.copies = integer_in(given, "candidateCount", _WHERE) or 1
    into.modalities = [name.lower() for name in _texts(given, "responseModalities")]
    into.image_options = _image(given)
    into.thinking = _thinking(given)
    logprobs = integer_in(given, "logprobs", _WHERE)
    if boolean_in(given, "responseLogprobs", _WHERE):
        into.logprobs = logprobs or 0
        logprobs = None
    read = [*_READ, "logprobs"]
    into.format = _format(given)
    if into.format is not None:
        read += ["responseMimeType", *_SCHEMAS]
    elif given.get("responseMimeType") == "text/plain":
        read.append("responseMimeType")
    rest = rest_of(given, *read)
    if logprobs is not None:
        rest["logprobs"] = logprobs
    if rest:
        into.extra[CONFIG] = rest


_READ: Final = (
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "candidateCount",
    "responseModalities",
    "imageConfig",
    "thinkingConfig",
    "responseLogprobs",
)


def _texts(given: Json, name: str) -> list[str]:
    values: list[Any] = list_in(given, name, _WHERE)
    if not all(isinstance(value, str) for value in values):
        raise FieldError(_WHERE + name, "an array of strings")
    return values


def _image(given: Json) -> Json | None:
    options = object_in(given, "imageConfig", _WHERE)
    return None if options is None else spelled(options)


def _thinking(given: Json) -> Thinking | None:
    config = object_in(given, "thinkingConfig", _WHERE)
    if config is None:
        return None
    config = spelled(config)
    where = _WHERE + "thinkingConfig."
    budget = integer_in(config, "thinkingBudget", where)
    level = (text_in(config, "thinkingLevel", where) or "").lower()
    return Thinking(
        effort=level if level and level != "thinking_level_unspecified" else None,
        budget=budget,
        enabled=False if budget == 0 else None,
        shown=boolean_in(config, "includeThoughts", where),
        extra=rest_of(config, "thinkingBudget", "thinkingLevel", "includeThoughts"),
    )


def _format(given: Json) -> Format | None:
    mime = text_in(given, "responseMimeType", _WHERE)
    schemas = [object_in(given, name, _WHERE) for name in _SCHEMAS]
    if mime not in {None, "", _JSON}:
        return None
    schema = next((one for one in schemas if one is not None), None)
    if schema is not None:
        own = schemas[-1] is schema
        return Format(kind="schema", schema=json_schema(schema) if own else schema)
    return Format(kind="json") if mime == _JSON else None
