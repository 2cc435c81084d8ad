"""Owns the dialects of the endpoints that count a request's tokens, free of charge. Pure.

The vendor counts if it can; for one of another protocol the request is translated as the one for an
answer would be. Gemini's model is in the path, so each of its requests has a dialect of its own.
"""

from typing import Final, cast

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols import token_counts
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.json_peek import TopLevel, peek
from tollbridge.protocols.token_counts import CountAsk
from tollbridge.relay.counting import Counting
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.talk import Talk

_SURFACES: Final = {
    Wire.RESPONSES: Surface.RESPONSES,
    Wire.MESSAGES: Surface.MESSAGES,
    Wire.GEMINI: Surface.GEMINI,
}
_NOTHING_OUT: Final = Wish(0, has_output=False)


class Counter(Talk):
    """Counts for the clients of one protocol; `version` and `model` are of a path of Gemini's."""

    free = True

    def __init__(self, wire: Wire, version: str = "", model: str = "") -> None:
        self.surface = _SURFACES[wire]
        self.surface_name = self.surface.value
        self._wire = wire
        self._version = version
        self._model = model

    def read(self, exchange: Exchange) -> tuple[TopLevel, CountAsk]:
        """Read a request; PeekError, FieldError."""
        top = peek(exchange.body)
        return top, token_counts.read_ask(self._wire, top, self._model)

    def wish(self, _ask: CountAsk) -> Wish:
        """Nothing is written."""
        return _NOTHING_OUT

    def errand(self, task: Task, account: Account) -> Errand:
        """Make one try ready."""
        return Counting(self._wire, cast("TopLevel", task.source), task, account, self._version)


RESPONSES_COUNT = cast("Dialect", Counter(Wire.RESPONSES))
MESSAGES_COUNT = cast("Dialect", Counter(Wire.MESSAGES))
