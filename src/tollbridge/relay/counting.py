"""Owns one try at counting a request's tokens, and the count of our own where nobody else counts."""

from typing import Final

from tollbridge.catalog.snapshot import Account
from tollbridge.protocols import token_counts
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.blobs import scan
from tollbridge.protocols.conversation import Conversation, Thinking, Wire
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import TopLevel
from tollbridge.protocols.messages import has_foreign_thoughts
from tollbridge.protocols.responses import has_envelopes
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.translation import Translation
from tollbridge.relay.dialects import Task
from tollbridge.relay.meter import estimate_input
from tollbridge.relay.straight import JSON

CANNOT_COUNT: Final = frozenset({404, 405, 501})
"""The statuses of an upstream that has no such endpoint, or no such model there."""
ESTIMATED: Final = b"x-tollbridge-estimated: true\r\n"
"""The line of an answer that says so."""

_WIRES: Final = {
    "openai": Wire.RESPONSES,
    "anthropic": Wire.MESSAGES,
    "gemini": Wire.GEMINI,
}


class Counting:
    """The errand of one count. Raises Untranslatable, a FieldError.

    `local` says that there is nobody to ask: the estimate is the answer.
    """

    __slots__ = (
        "_context", "_source", "_target", "_wire", "body", "content_type", "local", "native", "path",
    )  # fmt: skip

    def __init__(
        self, wire: Wire, source: TopLevel, task: Task, account: Account, version: str
    ) -> None:
        """`wire` is the client's protocol, `version` that of its path where it is Gemini's."""
        self._wire, self._source = wire, source
        self._context = task.sold.context
        self._target = target = _WIRES[account.platform]
        self.native = target is wire
        # What passes for OpenAI has its chat completions, seldom anything more.
        self.local = account.compatible and target is Wire.RESPONSES
        self.content_type = JSON
        self.path = b""
        self.body = b""
        if self.local:
            return
        self.path = token_counts.path_of(
            target, task.model, version if self.native else token_counts.GEMINI_VERSION
        )
        if not self.native or _bears_foreign(wire, source.body):
            self.body = self._translated(task, account)
        elif task.identity.renamed:
            self.body = token_counts.renamed(wire, source, task.model)
        else:
            self.body = source.body

    def read(self, body: bytes, _content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return whether there is a count, and it in the client's protocol."""
        count = token_counts.read_count(self._target, body)
        facts = token_counts.facts_of(count)
        if isinstance(count, int) and not self.native:
            body = token_counts.write_count(self._wire, count)
        return facts, body

    def tap(self) -> Tap:
        """Never called: nothing is streamed."""
        raise NotImplementedError

    def estimate(self) -> bytes:
        """Return our own count, which is none but a guess by size."""
        body = self._source.body
        tokens = min(estimate_input(len(body), scan(body)), self._context)
        return token_counts.write_count(self._wire, tokens)

    def _translated(self, task: Task, account: Account) -> bytes:
        conversation = token_counts.conversation_of(
            self._wire, self._source, task.model, task.sold.max_output
        )
        _decide(conversation, task)
        abilities = abilities_of(account.platform, task.model, compatible=account.compatible)
        to = Addressee(task.model, abilities, task.sold.max_output, account.compatible)
        written = Translation(conversation, self._target, to).body
        return token_counts.reduced(self._target, written, task.model)


def _decide(conversation: Conversation, task: Task) -> None:
    """Set what the name says that the client called the model by."""
    conversation.model = task.model
    if task.effort is not None:
        conversation.thinking = Thinking(effort=task.effort, enabled=True)


def _bears_foreign(wire: Wire, body: bytes) -> bool:
    if wire is Wire.MESSAGES:
        return has_foreign_thoughts(body)
    return wire is Wire.RESPONSES and has_envelopes(body)
