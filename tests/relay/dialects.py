"""Owns what an errand needs in tests: a task of a request as the relay would make it."""

from typing import Any

import msgspec

from tests.relay.calls import model as a_model
from tests.relay.visitor import Visitor
from tollbridge.catalog.snapshot import Account
from tollbridge.protocols.answer import Identity
from tollbridge.relay.dialects import Dialect, Task


def task_for(
    dialect: Dialect,
    body: Any,
    *,
    model: str = "",
    limit: int | None = None,
    effort: str | None = None,
    query: bytes = b"",
    path: str = "",
) -> Task:
    """Return the task of a request; `model` is what to send in place of the client's name."""
    visitor = Visitor(body, path=path, query=query)
    source, ask = dialect.read(visitor)
    sent = model or ask.model
    identity = Identity("t1", 1_700_000_000, ask.model, sent != ask.model)
    return Task(source, ask, limit, identity, sent, a_model(sent, max_output=32_000), effort)


def said_to(dialect: Dialect, task: Task, account: Account) -> Any:
    """Return what an account's upstream is sent, as JSON."""
    return msgspec.json.decode(dialect.errand(task, account).body)
