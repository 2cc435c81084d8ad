"""Proof of who may go on from a stored response: its user, at its account, and nobody else."""

import pytest

from tests.relay.calls import account, admitted, channel, key, snapshot
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.bound import Bound, speaks_responses
from tollbridge.storage.bindings import MemoryBindings

ID = "resp_0123"
PATH = "/v1/responses"
PLACES = (account(1), account(2))
CATALOGUE = snapshot(channel(accounts=PLACES))


def bound() -> Bound:
    return Bound(MemoryBindings(), lambda *words: repr(words).encode())


def call(path: str = PATH, by: int = 12, at: int | None = 1, places=PLACES, **fields):
    body = {"model": "gpt-test", "input": "hello", **fields}
    catalogue = snapshot(channel(accounts=places))
    made = admitted(body, path=path, by=key(user_id=by), catalogue=catalogue)
    if at is not None:
        made.account = next(one for one in places if one.id == at)
    return made


async def test_a_call_is_sent_where_what_it_goes_on_from_lies():
    known = bound()
    await known.keep(call(at=2), ID)
    for path in (PATH, "/v1/responses/compact", "/v1/responses/input_tokens"):
        following = call(path=path, at=None, previous_response_id=ID)
        await known.follow(following)
        assert following.only_account == 2


@pytest.mark.parametrize("previous", [ID, "", "resp_other", "a/b", "r" * 201, "é"])
@pytest.mark.parametrize("by", [12, 13])
async def test_what_is_unknown_or_anothers_is_not_there(previous, by):
    known = bound()
    await known.keep(call(by=14), ID)
    with pytest.raises(ApiError) as error:
        await known.follow(call(by=by, previous_response_id=previous))
    told = error.value
    assert (told.kind, told.code) == (Kind.INVALID_REQUEST, "previous_response_not_found")
    assert told.param == "previous_response_id"


async def test_neither_are_users_and_ids_mixed_up_by_how_they_are_written():
    known = bound()
    await known.keep(call(by=1), "2-a")
    assert await known.account_id(12, "-a") is None
    assert await known.account_id(1, "2-a") == 1


async def test_an_account_that_left_the_channel_has_nothing():
    known = bound()
    await known.keep(call(at=2), ID)
    with pytest.raises(ApiError):
        await known.follow(call(places=PLACES[:1], previous_response_id=ID))


async def test_other_surfaces_and_beginnings_are_not_bound():
    known = bound()
    beginning = call()
    await known.follow(beginning)
    chat = admitted(catalogue=CATALOGUE)
    await known.follow(chat)
    assert beginning.only_account is chat.only_account is None


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        ({}, True),
        ({"store": True}, True),
        ({"store": None}, True),
        ({"store": False}, False),
        ({"path": "/v1/responses/compact"}, True),
        ({"path": "/v1/responses/input_tokens"}, False),
        ({"places": (account(1, compatible=True),)}, False),
        ({"places": (account(1, platform="gemini"),)}, False),
        ({"at": None}, False),
    ],
)
async def test_only_what_openai_keeps_is_remembered(made, kept):
    known = bound()
    # A shortened conversation has no id that anybody could ask for: see the next test.
    if made.get("path") == "/v1/responses/compact":
        await known.keep_whole(call(**made), b'{"id":"%b","object":"response"}' % ID.encode())
    else:
        await known.keep(call(**made), ID)
    assert await known.account_id(12, ID) == (1 if kept else None)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"id":"resp_0123","object":"response","output":[]}', True),
        (b'{ "object" : "response" , "id" : "resp_0123" }', True),
        (b'{"id":"resp_0123","object":"response.compaction"}', False),
        (b'{"id":"resp_0123"}', False),
        (b'{"id":7,"object":"response"}', False),
        (b'{"object":"response"}', False),
        (b"junk", False),
    ],
)
async def test_the_id_is_that_of_the_answer(body, kept):
    known = bound()
    await known.keep_whole(call(), body)
    assert await known.account_id(12, ID) == (1 if kept else None)


async def test_what_cannot_be_an_id_is_not_kept_and_what_is_gone_is_forgotten():
    known = bound()
    for wrong in ("", "a b", "../x", "r" * 201):
        await known.keep(call(), wrong)
        assert await known.account_id(12, wrong) is None
    await known.keep(call(), ID)
    await known.release(12, ID)
    assert await known.account_id(12, ID) is None


async def test_the_store_never_sees_what_is_bound():
    seen = []

    class Spy(MemoryBindings):
        async def bind(self, mark: bytes, account_id: int) -> None:
            seen.append((mark, account_id))

    await Bound(Spy(), lambda *_words: b"mark").keep(call(), ID)
    assert seen == [(b"mark", 1)]
    assert speaks_responses(PLACES[0])
