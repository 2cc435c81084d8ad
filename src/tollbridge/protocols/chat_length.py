"""Owns the end of a stream that stops before the model does: the protocol's finish for length.

The gateway writes it itself when the money for more is not there, so it has to look like the rest
of the stream. Pure; must not know why a stream ends here, nor prices.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat_normal import chat_id
from tollbridge.protocols.facts import decoded, text_or_none
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.usage import Usage

_DONE = b"data: [DONE]\n\n"


def length_ending(
    first: dict[str, Any] | None,
    identity: Identity,
    choices: Iterable[int],
    usage: Usage | None,
) -> bytes:
    """Return the frames that end a chat stream: a finish a choice, usage if any, the end mark.

    `first` is the stream's first chunk, whose id, time and model all chunks bear; `identity` says
    what it does not. `choices` are those that have not finished; `usage` is None when the client
    did not ask for it.
    """
    return ending(first, identity, "chat.completion.chunk", choices, {"delta": {}}, usage)


def ending(
    first: dict[str, Any] | None,
    identity: Identity,
    kind: str,
    choices: Iterable[int],
    nothing: dict[str, Any],
    usage: Usage | None,
) -> bytes:
    """Return the same for any stream of this family; `nothing` is a choice's empty content."""
    head = _head(first or {}, identity, kind)
    frames = [_frame({**head, "choices": [_finish(index, nothing)]}) for index in choices]
    if usage is not None:
        frames.append(_frame({**head, "choices": [], "usage": _figures(usage)}))
    return b"".join([*frames, _DONE])


def finished_in(frames: bytes) -> set[int]:
    """Return the choices that bear a finish reason in these frames."""
    found: set[int] = set()
    for frame in Framer().feed(frames):
        chunk = decoded(data_of(frame) or b"") or {}
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("finish_reason"):
                index = choice.get("index")
                found.add(index if isinstance(index, int) else 0)
    return found


def _head(first: dict[str, Any], identity: Identity, kind: str) -> dict[str, Any]:
    created = first.get("created")
    model = None if identity.renamed else text_or_none(first.get("model"))
    return {
        "id": text_or_none(first.get("id")) or chat_id(identity),
        "object": kind,
        "created": created if type(created) is int else identity.created_s,
        "model": model or identity.model,
    }


def _finish(index: int, nothing: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, **nothing, "logprobs": None, "finish_reason": "length"}


def _figures(usage: Usage) -> dict[str, Any]:
    sent, made = usage.tokens_in(), usage.output
    return {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
