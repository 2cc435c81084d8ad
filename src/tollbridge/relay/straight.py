"""Owns the errand of a call whose account speaks the client's own protocol: bytes stay as they are."""

from typing import Any, Protocol

import msgspec

from tollbridge.catalog.snapshot import Account
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.json_peek import PeekError, peek
from tollbridge.protocols.tap import Tap
from tollbridge.relay.dialects import Task

JSON = b"application/json"

_NAMES = ("model", "modelVersion")
_QUOTE = 0x22


class Native(Protocol):
    """What a dialect does with its own protocol."""

    def upstream_path(self, ask: Any, model: str) -> bytes:
        """Return where such a call goes."""

    def prepare(
        self, source: Any, ask: Any, account: Account, limit: int | None, task: Task | None = None
    ) -> bytes:
        """Return the body for an account: an output limit, another name, an effort written."""

    def read_reply(self, body: bytes, content_type: bytes, ask: Any) -> ReplyFacts:
        """Read a whole answer; never raises."""

    def normal(self, body: bytes, identity: Identity) -> bytes:
        """Return a compatible account's whole answer by the book."""

    def tap(self, ask: Any, account: Account, identity: Identity) -> Tap:
        """Return what watches the stream of an attempt."""


class Straight:
    """One try at an account of the same protocol."""

    __slots__ = ("_account", "_ask", "_dialect", "_identity", "body", "content_type", "path")

    native = True

    def __init__(
        self, dialect: Native, task: Task, account: Account, content_type: bytes = JSON
    ) -> None:
        self._dialect = dialect
        self._account = account
        self._ask = task.ask
        self._identity = task.identity
        self.path = dialect.upstream_path(task.ask, task.model)
        self.body = dialect.prepare(task.source, task.ask, account, task.limit, task)
        self.content_type = content_type

    def read(self, body: bytes, content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what the answer says and the answer itself, repaired where the upstream needs it."""
        facts = self._dialect.read_reply(body, content_type, self._ask)
        if self._account.compatible:
            body = self._dialect.normal(body, self._identity)
        if self._identity.renamed:
            body = renamed(body, self._identity.model)
        return facts, body

    def tap(self) -> Tap:
        """Return what watches the stream."""
        return self._dialect.tap(self._ask, self._account, self._identity)


def renamed(body: bytes, model: str) -> bytes:
    """Return a whole answer with the client's name of the model."""
    value = msgspec.json.encode(model)
    try:
        top = peek(body)
    except PeekError:
        return body
    edits = {name: value for name in _NAMES if top.kind(name) == _QUOTE}
    return top.replaced(edits)
