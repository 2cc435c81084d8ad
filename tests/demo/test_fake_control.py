"""The endpoints that steer the pretend vendor, and what they say to wrong calls."""

import base64
import json

import pytest

from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_control import control


def test_account_and_replay_are_stored() -> None:
    books = Books()
    account = {"secret": "s", "script": {"status": 503}, "times": 1}
    assert control(books, "/_fake/account", "", json.dumps(account).encode()).status == 200
    assert books.defaults("s") == {"status": 503}
    chunks = [base64.b64encode(part).decode() for part in (b"a", b"bc")]
    replay = {"id": "r", "status": 201, "headers": {"x-a": "1"}, "chunks": chunks}
    assert control(books, "/_fake/replay", "", json.dumps(replay).encode()).status == 200
    assert books.recordings["r"].chunks == (b"a", b"bc")
    assert books.recordings["r"].status == 201


def test_questions() -> None:
    books = Books()
    for index in range(3):
        books.receive(f"/{index}", [], b"{}")
    assert b'"calls":3' in control(books, "/_fake/stats", "", b"").first
    body = control(books, "/_fake/calls", "last=2", b"").first.partition(b"\r\n\r\n")[2]
    assert [call["path"] for call in json.loads(body)] == ["/1", "/2"]
    control(books, "/_fake/reset", "", b"")
    assert books.count == 0


@pytest.mark.parametrize(
    ("path", "query", "body", "status"),
    [
        ("/_fake/nothing", "", b"", 404),
        ("/_fake/calls", "last=many", b"", 400),
        ("/_fake/account", "", b'{"secret":"s"}', 400),
        ("/_fake/account", "", b'{"secret":"s","script":{"stats":1}}', 400),
        ("/_fake/replay", "", b'{"id":"r","chunks":["%"]}', 400),
        ("/_fake/replay", "", b"{", 400),
    ],
)
def test_wrong_calls_are_told_why(path: str, query: str, body: bytes, status: int) -> None:
    reply = control(Books(), path, query, body)
    assert reply.status == status
    assert b'"message":"' in reply.first
