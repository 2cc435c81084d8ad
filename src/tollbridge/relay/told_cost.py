"""Owns how a call tells its cost in its answer, where its request asks for that and only there.

Bytes change by splicing alone (`protocols.cost_splice`). Must not know how a charge is worked out.
"""

from tollbridge.core.money import format_usd
from tollbridge.protocols import cost_splice
from tollbridge.protocols.chat import usage_wanted
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.relay.call import Call


def take_wish(call: Call) -> None:
    """Take our own field out of a request that was read, and read what is left; FieldError.

    A chat stream that is to tell its cost has to tell its usage to the client, so that is asked for
    in its own words.
    """
    exchange, dialect, top = call.exchange, call.dialect, call.source
    if dialect.cost_place is None or not isinstance(top, TopLevel):
        return
    if top.span(cost_splice.WISH) is None:
        return
    call.tells_cost = cost_splice.wished(top)
    left = top.removed(cost_splice.WISH)
    if call.tells_cost and call.ask.stream and dialect.cost_place is cost_splice.CHAT:
        left = peek(left).replaced({"stream_options": usage_wanted(top)})
    exchange.body = left
    call.source, call.ask = dialect.read(exchange)


def in_whole(call: Call, body: bytes, charge: int) -> bytes:
    """Return a whole answer as this call is to get it; `charge` is what was booked."""
    place, used = call.dialect.cost_place, call.used
    if not call.tells_cost or place is None or used is None:
        return body
    return cost_splice.in_body(body, place, format_usd(charge), used)


def in_last(call: Call, frames: bytes, charge: int) -> bytes:
    """Return the last frames of a stream as this call is to get them."""
    place, used = call.dialect.cost_place, call.used
    if not call.tells_cost or place is None or used is None:
        return frames
    return cost_splice.in_frames(frames, place, format_usd(charge), used)
