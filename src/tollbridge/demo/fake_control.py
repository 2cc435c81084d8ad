"""Owns the endpoints under `/_fake/` that steer and question the pretend vendor.

GET stats · GET calls?last=n · POST reset · POST account {secret, script, times} ·
POST replay {id, status, headers, chunks: [base64]}. It must not know of sockets.
"""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qs

import msgspec

from tollbridge.demo.fake_books import AccountScript, Books
from tollbridge.demo.fake_openai import error_body
from tollbridge.demo.fake_reply import Reply, json_reply, recording
from tollbridge.demo.fake_script import Script

CONTROL = "/_fake/"
_OK = b'{"ok":true}'
_CALLS_SHOWN = "20"


class _Account(msgspec.Struct, forbid_unknown_fields=True):
    secret: str
    script: dict[str, object]
    times: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _Replay(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    chunks: list[bytes]
    status: int = 200
    headers: dict[str, str] = {}


def control(books: Books, path: str, query: str, body: bytes) -> Reply:
    """Answer a control call; 404 for an unknown one, 400 with the reason for a wrong one."""
    answer = _ENDPOINTS.get(path.removeprefix(CONTROL))
    if answer is None:
        return json_reply(
            404, error_body(404, f"No such control endpoint. There are: {', '.join(_ENDPOINTS)}.")
        )
    try:
        return json_reply(200, answer(books, query, body))
    except (msgspec.MsgspecError, ValueError) as error:
        return json_reply(400, error_body(400, str(error)))


def _stats(books: Books, _query: str, _body: bytes) -> bytes:
    return books.stats()


def _calls(books: Books, query: str, _body: bytes) -> bytes:
    return books.last(int(parse_qs(query).get("last", [_CALLS_SHOWN])[0]))


def _reset(books: Books, _query: str, _body: bytes) -> bytes:
    books.reset()
    return _OK


def _account(books: Books, _query: str, body: bytes) -> bytes:
    account = msgspec.json.decode(body, type=_Account)
    msgspec.convert(account.script, Script)
    books.accounts[account.secret] = AccountScript(account.script, account.times)
    return _OK


def _replay(books: Books, _query: str, body: bytes) -> bytes:
    replay = msgspec.json.decode(body, type=_Replay)
    books.recordings[replay.id] = recording(replay.status, replay.headers, replay.chunks)
    return _OK


_ENDPOINTS: dict[str, Callable[[Books, str, bytes], bytes]] = {
    "stats": _stats,
    "calls": _calls,
    "reset": _reset,
    "account": _account,
    "replay": _replay,
}
