"""Proof of what the pretend vendors keep: made, listed, read and deleted, by account."""

import json

import pytest

from tollbridge.demo import fake_files
from tollbridge.demo.fake_books import AccountScript, Books
from tollbridge.demo.fake_openai import Event

OPENAI = [(b"authorization", b"Bearer one")]
ANTHROPIC = [(b"x-api-key", b"one"), (b"anthropic-version", b"2023-06-01")]
GOOGLE = [(b"x-goog-api-key", b"one")]
FORM = (b"content-type", b"multipart/form-data; boundary=x")
BODY = (
    b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--x\r\ncontent-disposition: form-data; name="file"; filename="a b.txt"\r\n\r\nhello\r\n--x--\r\n'
)


def asked(books, path, method="GET", headers=OPENAI, body=b"", query=""):
    reply = fake_files.answered(books, books.receive(path, headers, body, method, query), body)
    return reply, reply.first.partition(b"\r\n\r\n")[2]


def told(*args, **values):
    reply, body = asked(*args, **values)
    assert reply.status == 200, body
    return json.loads(body)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/v1/files", True),
        ("/v1/files/a/content", True),
        ("/v1beta/files/a:download", True),
        ("/v1/messages/batches/b", True),
        ("/v1/fine_tuning/jobs", True),
        ("/v1/messages", False),
        ("/v1/responses/files", False),
        ("/v1/filesystem", False),
    ],
)
def test_which_paths_are_about_something_kept(path, kept):
    assert fake_files.is_kept(path) == kept


@pytest.mark.parametrize("vendor", [OPENAI, ANTHROPIC])
def test_a_file_is_kept_by_its_account(vendor):
    books = Books()
    made = told(books, "/v1/files", "POST", [*vendor, FORM], BODY)
    path = f"/v1/files/{made['id']}"
    assert made["filename"] == "a b.txt"
    assert told(books, path, headers=vendor)["id"] == made["id"]
    assert [one["id"] for one in told(books, "/v1/files", headers=vendor)["data"]] == [made["id"]]
    assert told(books, "/v1/files", headers=vendor, query="limit=0")["data"] == []
    assert asked(books, f"{path}/content", headers=vendor)[1] == b"hello"
    other = [(name, value.replace(b"one", b"two")) for name, value in vendor]
    assert asked(books, path, headers=other)[0].status == 404
    assert told(books, path, "DELETE", vendor)["id"] == made["id"]
    assert asked(books, path, headers=vendor)[0].status == 404


def test_batches_and_caches_are_things_as_well():
    books = Books()
    made = told(books, "/v1/batches", "POST", body=b'{"endpoint":"/v1/embeddings"}')
    assert told(books, f"/v1/batches/{made['id']}/cancel", "POST")["status"] == "cancelling"
    batch = told(books, "/v1/messages/batches", "POST", ANTHROPIC, b"{}")
    where = f"/v1/messages/batches/{batch['id']}"
    assert told(books, f"{where}/cancel", "POST", ANTHROPIC)["processing_status"] == "canceling"
    assert told(books, where, "DELETE", ANTHROPIC)["type"] == "message_batch_deleted"
    cache = told(books, "/v1beta/cachedContents", "POST", GOOGLE, b'{"ttl":"1s"}')
    changed = told(books, f"/v1beta/{cache['name']}", "PATCH", GOOGLE, b'{"ttl":"2s"}')
    assert changed == {"name": cache["name"], "ttl": "2s"}
    assert told(books, "/v1beta/cachedContents", headers=GOOGLE)["cachedContents"] == [changed]
    assert told(books, f"/v1beta/{cache['name']}", "DELETE", GOOGLE) == {}
    assert told(books, "/v1beta/batches", headers=GOOGLE) == {"operations": []}


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_a_file_of_zeros_needs_not_be_made(size):
    reply, _ = asked(Books(), f"/v1/files/file-zeros-{size}/content")
    assert reply.events is not None
    events = list(reply.events)
    assert all(isinstance(event, Event) for event in events)
    assert sum(event.data.count(0) for event in events) == size


def test_what_makes_no_sense_is_refused():
    books = Books()
    assert asked(books, "/v1/files", headers=GOOGLE[:0])[0].status == 401
    assert asked(books, "/v1beta/files", headers=OPENAI)[0].status == 401
    assert asked(books, "/v1/files", "PUT")[0].status == 405
    assert asked(books, "/v1/batches", "POST", body=b"{")[0].status == 400
    books.accounts["one"] = AccountScript({"status": 503})
    assert asked(books, "/v1/files")[0].status == 503
