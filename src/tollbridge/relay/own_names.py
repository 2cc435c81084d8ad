"""Owns keeping an upstream's names of models out of what clients read. Pure.

Answers carry the client's name by way of the identity of a call; here is what does not know one:
the words of an upstream's complaint, and responses that it has stored.
"""

import re

from tollbridge.catalog.name_map import shown_name
from tollbridge.catalog.snapshot import Account
from tollbridge.protocols.json_peek import FieldError, PeekError, peek
from tollbridge.relay.straight import renamed


def in_clients_words(text: str, sent: str, asked: str) -> str:
    """Return an upstream's words with the client's name of the model in the place of its own.

    A longer name that only begins or ends like it is another model's.
    """
    if sent == asked or sent not in text:
        return text
    return re.sub(rf"(?<![\w.-]){re.escape(sent)}(?![\w-]|\.\w)", lambda _: asked, text)


def stored_body(account: Account, body: bytes) -> bytes:
    """Return a stored answer of an account under a name that clients may know."""
    if not account.mapping:
        return body
    try:
        answered = peek(body).text("model")
    except (PeekError, FieldError):
        return body
    return renamed(body, shown_name(account.mapping, answered)) if answered else body
