"""Owns the watching of an answer that is no event stream although one was asked for.

Some models ignore the wish for a stream and answer as a whole. Then everything is kept until the
end, when it is read as a whole answer is. Must not know any endpoint, money or sockets.
"""

from collections.abc import Callable

from tollbridge.protocols.facts import ReplyFacts, UpstreamFault
from tollbridge.protocols.tap import TAIL_MAX, TOO_LARGE
from tollbridge.protocols.usage import Usage


class WholeTap:
    """Keeps a whole answer; `read` says what it says of itself and never raises.

    Nothing ever passes before the end, so `content` stays False: until then another account may be
    tried.
    """

    def __init__(self, read: Callable[[bytes], ReplyFacts]) -> None:
        self._read = read
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.finished = False
        self.model: str | None = None
        self.text_bytes = 0
        self.usage: Usage | None = None
        """What the answer says it used; None before the end."""
        self.stream_id = ""
        self.sequence = 0

    def feed(self, data: bytes) -> bytes:
        """Keep more of the answer; nothing may go to the client yet."""
        self._kept_bytes += len(data)
        if self._kept_bytes > TAIL_MAX:
            self.error = TOO_LARGE
        else:
            self._kept.append(data)
        return b""

    def close(self) -> None:
        """Read the answer; one that was cut is told to the pump, not here."""
        if self.error is not None:
            return
        facts = self._read(self.finish_text())
        self.error = facts.error
        self.done = self.finished = facts.finished and facts.error is None
        self.model = facts.model
        self.text_bytes = facts.text_bytes
        self.usage = facts.usage

    def finish_text(self) -> bytes:
        """Return the whole answer."""
        return b"".join(self._kept)

    def closing(self, *, silent: bool) -> bytes:  # noqa: ARG002 (it is whole or it is nothing)
        """Return the whole answer."""
        return self.finish_text()

    def produced(self, _frames: bytes) -> int:
        """Return 0: there are no frames."""
        return 0

    def unsay(self, frames: bytes) -> None:
        """Nothing was said."""

    def length_ending(self, _used: Usage) -> bytes:
        """Return nothing: a whole answer is never cut for length."""
        return b""
