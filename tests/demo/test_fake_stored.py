"""Proof of the pretend vendor's stored responses."""

import json

import pytest

from tollbridge.demo import fake_stored
from tollbridge.demo.fake_books import AccountScript, Books

BODY = b'{"id":"resp_1","object":"response","status":"completed","output":[],"background":%b}'
PATH = "/v1/responses/resp_1"
HEADERS = [(b"authorization", b"Bearer one")]


def books(request=None, *, background: bool = False) -> Books:
    made = Books()
    body = BODY % (b"true" if background else b"false")
    fake_stored.keep(made, "one", "resp_1", request or {"input": "hello"}, body)
    return made


def asked(kept: Books, method: str = "GET", path: str = PATH, query: str = "", headers=HEADERS):
    reply = fake_stored.answered(kept, kept.receive(path, headers, b"", method, query))
    return reply, reply.first.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        (PATH, True),
        (f"{PATH}/cancel", True),
        (f"{PATH}/input_items", True),
        (f"{PATH}/other", False),
        ("/v1/responses", False),
        ("/v1/responses/compact", False),
    ],
)
def test_which_paths_are_about_one(path, stored):
    assert fake_stored.is_stored(path) == stored


def test_it_is_as_it_was_and_can_be_deleted():
    kept = books()
    reply, body = asked(kept)
    assert (reply.status, json.loads(body)["id"]) == (200, "resp_1")
    assert json.loads(asked(kept, "DELETE")[1])["deleted"] is True
    assert asked(kept)[0].status == 404


def test_another_account_has_no_such_thing_and_other_methods_are_unknown():
    kept = books()
    assert asked(kept, headers=[(b"authorization", b"Bearer two")])[0].status == 404
    for method, path in (("PUT", PATH), ("GET", f"{PATH}/cancel"), ("POST", f"{PATH}/input_items")):
        assert asked(kept, method, path)[0].status == 404


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        ("hello", ["user"]),
        ([{"role": "user", "content": "a"}, {"role": "developer", "content": "b"}],
         ["user", "developer"]),
        ([], []),
    ],
)  # fmt: skip
def test_what_it_was_asked_is_listed(given, roles):
    listed = json.loads(asked(books({"input": given}), path=f"{PATH}/input_items")[1])
    assert (listed["object"], listed["has_more"]) == ("list", False)
    assert [item["role"] for item in listed["data"]] == roles
    assert len({item["id"] for item in listed["data"]}) == len(roles)


def test_only_what_runs_in_the_background_can_be_cancelled():
    path = f"{PATH}/cancel"
    assert asked(books(), "POST", path)[0].status == 400
    assert json.loads(asked(books(background=True), "POST", path)[1])["status"] == "cancelled"


def test_it_is_streamed_again_from_any_event_on():
    for query, numbers in (("stream=true", [0, 1]), ("stream=true&starting_after=0", [1])):
        reply, _ = asked(books(), query=query)
        assert reply.events is not None
        frames = b"".join(event.data for event in reply.events)
        told = [line for line in frames.splitlines() if line.startswith(b"data: {")]
        assert [json.loads(line[6:])["sequence_number"] for line in told] == numbers


def test_a_script_of_the_account_comes_first():
    kept = books()
    kept.accounts["one"] = AccountScript({"status": 503}, 1)
    assert asked(kept)[0].status == 503
    assert asked(kept)[0].status == 200
