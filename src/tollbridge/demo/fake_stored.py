"""Owns the pretend vendor's endpoints about a stored response. It must not know of sockets.

Unlike the real one it streams any stored response again, not only those made in the background.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tollbridge.demo import fake_reply
from tollbridge.demo.fake_books import Books, Call
from tollbridge.demo.fake_errors import OPENAI
from tollbridge.demo.fake_fate import fate, refused
from tollbridge.demo.fake_fields import mappings
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_reply import Reply
from tollbridge.demo.fake_script import script_of

_PATH = re.compile(r"^/v1/responses/(?P<made>resp_[^/]+)(?P<verb>/cancel|/input_items)?$")
_ITEMS = "/input_items"
_METHODS = {"/cancel": {"POST"}, _ITEMS: {"GET"}, "": {"GET", "DELETE"}}
_encode = msgspec.json.encode


def is_stored(path: str) -> bool:
    """Say whether a path is about a stored response."""
    return _PATH.match(path) is not None


def keep(books: Books, secret: str, made: str, request: dict[str, Any], body: bytes) -> None:
    """Store a response for its account, and what it was asked."""
    books.keep(secret, made, body)
    books.keep(secret, made + _ITEMS, _listed(made, request))


def answered(books: Books, call: Call) -> Reply:
    """Return the answer to a call about a stored response, or the refusal of it."""
    found = _PATH.match(call.path)
    assert found is not None
    made, verb = found["made"], found["verb"] or ""
    script = script_of(b"", books.defaults(call.secret))
    if (end := fate(books, script, ())) is not None:
        return end
    kept = books.kept(call.secret, made)
    if kept is None or call.method not in _METHODS[verb]:
        return refused(OPENAI, 404, f"Response with id '{made}' not found.")
    if verb == _ITEMS:
        return fake_reply.json_reply(200, books.kept(call.secret, made + _ITEMS) or b"")
    if verb:
        return _cancelled(books, call.secret, made, kept)
    if call.method == "DELETE":
        del books.responses[call.secret, made]
        gone = {"id": made, "object": "response.deleted", "deleted": True}
        return fake_reply.json_reply(200, _encode(gone))
    asked = parse_qs(call.query)
    if asked.get("stream") == ["true"]:
        after = int(asked.get("starting_after", ["-1"])[0])
        return fake_reply.streamed(script, _events(kept, after))
    return fake_reply.json_reply(200, kept)


def _cancelled(books: Books, secret: str, made: str, kept: bytes) -> Reply:
    whole = msgspec.json.decode(kept)
    if not whole["background"]:
        return refused(OPENAI, 400, "Cannot cancel a synchronous response.")
    kept = _encode({**whole, "status": "cancelled", "output": []})
    books.keep(secret, made, kept)
    return fake_reply.json_reply(200, kept)


def _events(kept: bytes, after: int) -> Iterator[Event]:
    whole = msgspec.json.decode(kept)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    for number, (kind, response) in enumerate((("created", begun), ("completed", whole))):
        if number > after:
            name = f"response.{kind}"
            data = _encode({"type": name, "sequence_number": number, "response": response})
            yield Event(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


def _listed(made: str, request: dict[str, Any]) -> bytes:
    given = request.get("input") or []
    if isinstance(given, str):
        given = [{"role": "user", "content": [{"type": "input_text", "text": given}]}]
    items = [
        {"type": "message", **item, "id": f"msg_{made}_{at}", "status": "completed"}
        for at, item in enumerate(mappings(given))
    ]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
    return _encode({"object": "list", "data": items, "has_more": False, **ends})
