"""Owns bodies of the moderations endpoint, which costs nothing unless the upstream says so.

Must not know accounts or prices.
"""

from typing import Final

import msgspec

from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError, TopLevel
from tollbridge.protocols.media_request import model_of
from tollbridge.protocols.usage import Usage

MODEL_DEFAULT: Final = "omni-moderation-latest"
"""The protocol's own default."""

_INPUT_KINDS: Final = frozenset({0x22, 0x5B})


class ModerationAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a moderation request."""

    model: str


def read_ask(top: TopLevel) -> ModerationAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field."""
    if top.kind("input") not in _INPUT_KINDS:
        raise FieldError("input", "a string or an array")
    return ModerationAsk(model_of(top, MODEL_DEFAULT))


def read_reply(body: bytes, _content_type: bytes, _ask: ModerationAsk) -> ReplyFacts:
    """Read a whole answer. Never raises: what is no moderation has no facts.

    Usage is zero, not unknown, where the upstream names none: nothing is to be estimated.
    """
    reply = decoded(body)
    if reply is None:
        return ReplyFacts()
    results = reply.get("results")
    made = isinstance(results, list) and bool(results)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=usage_from(reply.get("usage")) or (Usage() if made else None),
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=made,
        empty=not made,
        error=fault_from(reply.get("error")),
    )


def estimate(_ask: ModerationAsk) -> Usage:
    """Return what a call of which the upstream said nothing used: nothing."""
    return Usage()
