"""Owns the rules in [[channel]] and [[channel.account]] tables: mapped names, and what accounts
change of their calls. Pure.
"""

import json
import re
from collections.abc import Mapping

from tollbridge.catalog.fields import Fields
from tollbridge.catalog.model_fields import check_pattern
from tollbridge.core.phrase import phrase

MAPPING_FIELD = "mapping"
HEADERS_FIELD = "headers"
PARAMS_FIELD = "params"
DROP_FIELD = "params_drop"

_HEADER = re.compile(r"[a-z0-9-]{1,64}")
_HEADERS_MAX = 32
_HEADER_MAX = 4_096
# Framing, credentials, and what the gateway says by itself or lets pass by rules of its own.
_HEADERS_OURS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "cookie", "expect", "host", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "range"),
        *("authorization", "api-key", "x-api-key", "x-goog-api-key", "x-http-method-override"),
        *("anthropic-beta", "anthropic-version", "openai-beta"),
    }
)
_HEADERS_OF = ("content-", "proxy-", "sec-")

_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_PARAMS_MAX_BYTES = 16_384
# Spelled without underscores, in lower case: what is read, written or kept, how much of it, and at
# which price. These are bounded and held by the request as it came.
_PARAMS_OURS = frozenset(
    {
        *("model", "messages", "input", "prompt", "suffix", "system", "instructions", "contents"),
        *("systeminstruction", "cachedcontent", "conversation", "previousresponseid", "context"),
        *("maxtokens", "maxcompletiontokens", "maxoutputtokens", "maxtoolcalls", "maxnewtokens"),
        *("mintokens", "n", "bestof", "candidatecount", "numcompletions", "stream"),
        *("streamoptions", "tools", "toolchoice", "toolconfig", "functions", "functioncall"),
        *("websearchoptions", "mcpservers", "container", "contextmanagement", "plugins"),
        *("generationconfig", "thinking", "thinkingbudget", "enablethinking", "reasoning"),
        *("reasoningeffort", "chattemplatekwargs", "extrabody", "outputconfig", "outputformat"),
        *("responseformat", "text", "prediction", "modalities", "audio", "servicetier", "speed"),
        *("background", "store", "cachecontrol", "promptcacheretention", "echo"),
    }
)

_RULES_MAX = 1_000
_SENT = re.compile(r"[!-)+-~]{1,256}")
# It becomes a segment of a path there.
_SENT_IN_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def read_mapping(fields: Fields, platform: str) -> Mapping[str, str]:
    """Return upstream names by client names, whose left side may end in a star; FileError."""
    given = read_table(fields, MAPPING_FIELD, phrase('a table like {"our name" = "upstream name"}'))
    rules: dict[str, str] = {}
    shape = _SENT_IN_PATH if platform == "gemini" else _SENT
    if len(given) > _RULES_MAX:
        raise fields.error(
            MAPPING_FIELD, phrase("mapping: at most %(most)s names", most=_RULES_MAX)
        )
    for name, sent in given.items():
        if not name or not name.isprintable():
            reason = phrase("mapping: a model name is printable and not empty")
            raise fields.error(MAPPING_FIELD, reason)
        check_pattern(fields, MAPPING_FIELD, name)
        if not isinstance(sent, str) or shape.fullmatch(sent) is None:
            raise fields.error(MAPPING_FIELD, _unsendable(platform))
        rules[name] = sent
    return rules


def _unsendable(platform: str) -> str:
    if platform == "gemini":
        return phrase(
            "mapping: an upstream name is printable ASCII without blanks and without *,"
            " and part of a path at Gemini"
        )
    return phrase("mapping: an upstream name is printable ASCII without blanks and without *")


def read_headers(fields: Fields) -> dict[str, str]:
    """Return headers that every call to the account gets, by lower-case names; FileError."""
    given = read_table(fields, HEADERS_FIELD, phrase('a table like {"x-name" = "value"}'))
    if len(given) > _HEADERS_MAX:
        raise fields.error(HEADERS_FIELD, phrase("headers: at most %(most)s", most=_HEADERS_MAX))
    headers: dict[str, str] = {}
    for written, value in given.items():
        name = written.lower()
        if _HEADER.fullmatch(name) is None or name in headers:
            reason = phrase("headers: names are letters, digits and -, each once")
            raise fields.error(HEADERS_FIELD, reason)
        if name in _HEADERS_OURS or name.startswith(_HEADERS_OF):
            reason = phrase("headers: %(name)s is the gateway's own", name=name)
            raise fields.error(HEADERS_FIELD, reason)
        if not isinstance(value, str) or not _is_header_value(value):
            reason = phrase("headers: the value of %(name)s is printable ASCII", name=name)
            raise fields.error(HEADERS_FIELD, reason)
        headers[name] = value
    return headers


def _is_header_value(value: str) -> bool:
    plain = value.isascii() and value.isprintable() and value == value.strip()
    return plain and 0 < len(value) <= _HEADER_MAX


def read_params(fields: Fields) -> dict[str, object]:
    """Return top-level fields to set in the bodies for an account, as JSON values; FileError."""
    params = read_table(fields, PARAMS_FIELD, phrase("a table like {top_k = 40}"))
    for name in params:
        _check_param(fields, PARAMS_FIELD, name)
    try:
        size = len(json.dumps(params, allow_nan=False))
    except (TypeError, ValueError):
        reason = phrase("params: JSON has no dates and no infinity")
        raise fields.error(PARAMS_FIELD, reason) from None
    if size > _PARAMS_MAX_BYTES:
        raise fields.error(
            PARAMS_FIELD, phrase("params: at most %(most)s bytes", most=_PARAMS_MAX_BYTES)
        )
    return params


def read_params_drop(fields: Fields) -> tuple[str, ...]:
    """Return top-level fields that bodies for an account must not have; FileError."""
    names = fields.texts(DROP_FIELD, ())
    for name in names:
        _check_param(fields, DROP_FIELD, name)
        if name in read_table(fields, PARAMS_FIELD, phrase("a table")):
            reason = phrase("params_drop: %(name)s is set by params", name=name)
            raise fields.error(DROP_FIELD, reason)
    return tuple(sorted(names))


def _check_param(fields: Fields, field: str, name: str) -> None:
    if _PARAM.fullmatch(name) is None:
        reason = phrase("%(field)s: a field's name is letters, digits and _", field=field)
        raise fields.error(field, reason)
    if name.replace("_", "").lower() in _PARAMS_OURS:
        reason = phrase(
            "%(field)s: %(name)s governs what a call costs or holds", field=field, name=name
        )
        raise fields.error(field, reason)


def read_table(fields: Fields, name: str, expected: str) -> dict[str, object]:
    """Return an inline table as TOML gave it, empty when it is not given; FileError."""
    value = fields.raw(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise fields.error(name, phrase("%(name)s must be %(kind)s", name=name, kind=expected))
    return value
