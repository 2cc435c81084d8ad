"""Owns what an account changes of the calls that it gets: header lines and fields of the body. Pure.

The file refuses what governs money, framing or credentials (catalog/rule_fields.py), so what is left
is the operator's business. Fields are of calls that write text; counts, vectors and media have none.
"""

from typing import Final

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.protocols.gemini_names import name_in
from tollbridge.protocols.json_peek import peek
from tollbridge.relay.call import Call
from tollbridge.relay.dialects import Errand

USER_AGENT: Final = "tollbridge"
"""What the gateway calls itself where an account says nothing else."""

_AGENT: Final = "user-agent"


def own_headers(account: Account) -> dict[str, str]:
    """Return the headers of every call to an account that are neither framing nor credentials."""
    return {_AGENT: USER_AGENT, **account.headers}


def own_lines(account: Account) -> bytes:
    """Return them as complete header lines."""
    lines = (f"{name}: {value}\r\n" for name, value in own_headers(account).items())
    return "".join(lines).encode("ascii")


def override(errand: Errand, call: Call, account: Account) -> Errand:
    """Return the errand with the account's own fields in its body."""
    changes = bool(account.params or account.params_drop)
    if changes and call.wish.has_output and _writes_text(call):
        errand.body = overridden(errand.body, account)
    return errand


def overridden(body: bytes, account: Account) -> bytes:
    """Return a JSON body with an account's fields set and dropped; all else stays byte for byte."""
    top = peek(body)
    any_spelling = account.platform == "gemini"
    edits = {
        name_in(top, name) if any_spelling else name: value
        for name, value in account.params.items()
    }
    body = top.replaced(edits)
    for name in account.params_drop:
        top = peek(body)
        body = top.removed(name_in(top, name) if any_spelling else name)
    return body


def _writes_text(call: Call) -> bool:
    return call.dialect.surface is not Surface.MEDIA and not call.dialect.free
