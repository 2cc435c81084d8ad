"""Owns the pretend vendors' endpoints that keep things: files, batches and their like.

Enough for the vendors' own SDKs to make, list, read and delete them; nothing is ever worked on. A file
with the id `file-zeros-N` holds N zero bytes without ever having been made. It must not know of
sockets.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tollbridge.core.clock import now_ms
from tollbridge.demo import fake_reply
from tollbridge.demo.fake_books import Books, Call
from tollbridge.demo.fake_errors import ANTHROPIC, GOOGLE, OPENAI, Tongue
from tollbridge.demo.fake_fate import fate, refused
from tollbridge.demo.fake_form import read_form
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_reply import Reply
from tollbridge.demo.fake_script import BadAsk, Script, script_of

_PATH = re.compile(
    r"^/(?P<version>v1beta|v1alpha|v1)/(?P<kind>files|batches|uploads|vector_stores|cachedContents"
    r"|fine_tuning/jobs|messages/batches)(?:/(?P<id>[^/:]+)(?P<verb>[/:].+)?)?$"
)
_ZEROS = re.compile(r"file-zeros-([0-9]{1,12})$")
_PIECE = bytes(64 * 1024)
_BYTES = b"content-type: application/octet-stream\r\n"
_CONTENT = "/content"
_PLACES = {
    "openai": {"authorization"},
    "anthropic": {"x-api-key", "authorization"},
    "gemini": {"x-goog-api-key", "key"},
}
_TONGUES = {"openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GOOGLE}
_LISTS = {"files": "files", "cachedContents": "cachedContents", "batches": "operations"}
_OBJECTS = {"files": "file", "batches": "batch", "vector_stores": "vector_store"}
_encode = msgspec.json.encode


class _Shelf:
    """What one account keeps of one kind, in the order in which it was made."""

    def __init__(self, books: Books, call: Call, kind: str) -> None:
        self._books = books
        self._secret = call.secret
        self._prefix = f"{kind}|"

    def keep(self, name: str, thing: dict[str, Any], content: bytes = b"") -> None:
        self._books.keep(self._secret, self._prefix + name, _encode(thing))
        if content:
            self._books.keep(self._secret, f"content|{name}", content)

    def thing(self, name: str) -> dict[str, Any] | None:
        kept = self._books.kept(self._secret, self._prefix + name)
        return None if kept is None else msgspec.json.decode(kept)

    def content(self, name: str) -> bytes:
        return self._books.kept(self._secret, f"content|{name}") or b""

    def drop(self, name: str) -> None:
        for one in (self._prefix + name, f"content|{name}"):
            self._books.responses.pop((self._secret, one), None)

    def all(self) -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(kept)
            for (secret, name), kept in self._books.responses.items()
            if secret == self._secret and name.startswith(self._prefix)
        ]


def is_kept(path: str) -> bool:
    """Say whether a path is about something that a vendor keeps."""
    return _PATH.match(path) is not None


def answered(books: Books, call: Call, body: bytes) -> Reply:
    """Return the answer to a call about something kept, or the refusal of it."""
    found = _PATH.match(call.path)
    assert found is not None
    kind, name, verb = found["kind"], found["id"], found["verb"] or ""
    vendor = _vendor(call, found["version"], kind)
    tongue = _TONGUES[vendor]
    if call.place not in _PLACES[vendor]:
        return refused(tongue, 401, "There is no API key in the right place.")
    script = script_of(b"", books.defaults(call.secret))
    if (end := fate(books, script, (), tongue)) is not None:
        return end
    shelf = _Shelf(books, call, f"{vendor} {kind}")
    try:
        if name is None:
            return _collection(books, call, body, vendor, kind, shelf)
        zeros = _ZEROS.match(name)
        if zeros and verb == _CONTENT:
            return fake_reply.streamed(script, _zeros(int(zeros[1])), kind=_BYTES)
        return _item(call, body, (vendor, kind, name, verb), shelf, script)
    except BadAsk as error:
        return refused(tongue, 400, str(error))


def _vendor(call: Call, version: str, kind: str) -> str:
    if version != "v1" or kind == "cachedContents" or call.place == "x-goog-api-key":
        return "gemini"
    return (
        "anthropic" if kind == "messages/batches" or call.header(b"anthropic-version") else "openai"
    )


def _collection(
    books: Books, call: Call, body: bytes, vendor: str, kind: str, shelf: _Shelf
) -> Reply:
    if call.method == "GET":
        things = shelf.all()
        limit = parse_qs(call.query).get("limit", ["100"])[0]
        return fake_reply.json_reply(200, _encode(_listed(vendor, kind, things[: int(limit)])))
    if call.method != "POST":
        return refused(_TONGUES[vendor], 405, "Method Not Allowed")
    stem = _OBJECTS.get(kind, "made")
    name = f"{stem}-{books.count}"
    given, content = _given(call, body)
    made = _made(vendor, kind, name, given, len(content))
    shelf.keep(name, made, content)
    return fake_reply.json_reply(200, _encode(made))


def _item(
    call: Call, body: bytes, what: tuple[str, str, str, str], shelf: _Shelf, script: Script
) -> Reply:
    vendor, kind, name, verb = what
    tongue: Tongue = _TONGUES[vendor]
    thing = shelf.thing(name)
    if thing is None:
        return refused(tongue, 404, f"No such {_OBJECTS.get(kind, 'object')} object: {name}")
    if verb in {_CONTENT, "/results", ":download"}:
        return fake_reply.unary(script, shelf.content(name), 0, _disposed(thing))
    if call.method == "DELETE":
        shelf.drop(name)
        return fake_reply.json_reply(200, _encode(_gone(vendor, kind, name)))
    if verb in {"/cancel", ":cancel"}:
        state = "processing_status" if vendor == "anthropic" else "status"
        thing |= {state: "canceling" if vendor == "anthropic" else "cancelling"}
    elif call.method in {"PATCH", "POST"}:
        thing |= _given(call, body)[0]
    shelf.keep(name, thing, shelf.content(name))
    return fake_reply.json_reply(200, _encode(thing))


def _given(call: Call, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what a request says of a thing, and the bytes that it brings."""
    if call.header(b"content-type").startswith("multipart/"):
        form = read_form(call.header(b"content-type"), body)
        content = form.files[0].data if form.files else b""
        name = form.files[0].name if form.files else "unnamed"
        return {"filename": name, "purpose": form.text("purpose", "batch")}, content
    try:
        given = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        raise BadAsk("We could not parse the JSON body of your request.") from None
    return (given if isinstance(given, dict) else {}), b""


def _made(vendor: str, kind: str, name: str, given: dict[str, Any], size: int) -> dict[str, Any]:
    now = now_ms() // 1000
    if vendor == "gemini":
        return {**given, "name": f"{kind}/{name}"}
    if vendor == "anthropic":
        moment = "2026-01-01T00:00:00Z"
        if kind == "files":
            file = {"type": "file", "mime_type": "text/plain", "downloadable": True}
            named = {"id": name, "filename": given.get("filename", ""), "size_bytes": size}
            return {**file, **named, "created_at": moment}
        none = dict.fromkeys(("ended_at", "cancel_initiated_at", "archived_at", "results_url"))
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        batch = {"id": name, "type": "message_batch", "processing_status": "in_progress"}
        times = {"created_at": moment, "expires_at": moment}
        return {**batch, **times, **none, "request_counts": counts}
    one = {"id": name, "object": _OBJECTS.get(kind, kind), "created_at": now}
    if kind == "files":
        return {**one, **given, "bytes": size, "status": "processed"}
    return {**one, **given, "status": "validating"}


def _listed(vendor: str, kind: str, things: list[dict[str, Any]]) -> dict[str, Any]:
    if vendor == "gemini":
        return {_LISTS[kind]: things}
    ends = {"first_id": things[0]["id"], "last_id": things[-1]["id"]} if things else {}
    return {"object": "list", "data": things, "has_more": False, **ends}


def _gone(vendor: str, kind: str, name: str) -> dict[str, Any]:
    if vendor == "gemini":
        return {}
    if vendor == "anthropic":
        word = "file_deleted" if kind == "files" else "message_batch_deleted"
        return {"id": name, "type": word}
    return {"id": name, "object": _OBJECTS.get(kind, kind), "deleted": True}


def _disposed(thing: dict[str, Any]) -> bytes:
    name = str(thing.get("filename", "content"))
    safe = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    line = f'content-disposition: attachment; filename="{safe}"\r\n'
    return _BYTES + line.encode() + b"set-cookie: a=b\r\nx-vendor-secret: 1\r\n"


def _zeros(size: int) -> Iterator[Event]:
    while size > 0:
        yield Event(_PIECE[:size])
        size -= len(_PIECE)
