"""Proof of what belongs together: a session by its name, else by how it begins; never two users'."""

import asyncio
import gc
from random import Random
from types import FunctionType, ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account, admitted, asked, channel, chat, key
from tests.relay.floor import open_floor
from tollbridge.relay.plan import Plan
from tollbridge.relay.sticky import session_of


def session(body=None, **values):
    return session_of(admitted(body, **values))


def turns(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def test_a_conversation_that_goes_on_is_the_same_session():
    opening = "Tell me all about bridges. " * 60
    first = session(chat(messages=turns(opening)))
    assert first == session(chat(messages=turns(opening, "Well.", "And tolls?")))
    assert first != session(chat(messages=turns("Something else")))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=12), st.booleans())
def test_whatever_is_added_later_the_session_stays(texts, instructed):
    opening = [{"role": "system", "content": "Be brief."}] if instructed else []
    whole = turns(*texts)
    first = session(chat(messages=[*opening, whole[0]]))
    for end in range(1, len(whole) + 1):
        assert session(chat(messages=[*opening, *whole[:end]])) == first


def test_the_same_instructions_do_not_make_one_session_of_all():
    system = {"role": "system", "content": "Be brief."}
    one = session(chat(messages=[system, *turns("a")]))
    assert one != session(chat(messages=[system, *turns("b")]))


def test_a_name_wins_over_the_words():
    one = session(chat(messages=turns("a")), headers={b"session_id": b"s-1"})
    assert one == session(chat(messages=turns("b")), headers={b"session_id": b"s-1"})
    assert one != session(chat(messages=turns("a")), headers={b"session_id": b"s-2"})
    named = session(chat(messages=turns("a"), prompt_cache_key="k"))
    assert named == session(chat(messages=turns("b"), prompt_cache_key="k"))
    user = session(chat(messages=turns("a"), metadata={"user_id": "u"}))
    assert user == session(chat(messages=turns("b"), metadata={"user_id": "u"}))
    assert len({one, named, user}) == 3


def test_instructions_are_part_of_the_beginning():
    assert session(chat(system="one")) != session(chat(system="two"))


@given(st.text(min_size=1), st.integers(1, 50), st.integers(51, 99))
def test_two_users_never_share_a_session(text, one, other):
    body = chat(messages=turns(text), prompt_cache_key=text)
    assert session(body, by=key(user_id=one)) != session(body, by=key(user_id=other))


@given(st.text(), st.text())
def test_a_number_has_64_bits_and_is_the_same_each_time(text, cache_key):
    body = chat(messages=turns(text), prompt_cache_key=cache_key)
    number = session(body)
    assert 0 <= number < 1 << 64
    assert number == session(body)


def test_odd_metadata_is_no_name():
    assert session(chat(metadata=[1])) == session(chat())
    assert session(chat(metadata={"a": 1})) == session(chat())


def test_what_is_not_json_has_no_beginning():
    call = asked()
    call.source, call.upstream_model = object(), "m"
    assert session_of(call) is None


SAID = "Tell me about bridges."
GEMINI = "/v1beta/models/gpt-test:generateContent"
# Each surface: its path, and a body that says something.
SURFACES = {
    "chat": ("/v1/chat/completions", lambda text: chat(messages=turns(text))),
    "responses": ("/v1/responses", lambda text: {"model": "gpt-test", "input": text}),
    "messages": (
        "/v1/messages",
        lambda text: {"model": "gpt-test", "max_tokens": 9, "messages": turns(text)},
    ),
    "gemini": (GEMINI, lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]}),
}


def at(surface, text=SAID, *, headers=None, by=None, **fields):
    path, body = SURFACES[surface]
    return session_of(asked_on(path, {**body(text), **fields}, headers, by))


def asked_on(path, body, headers, by):
    return admitted(body, path=path, headers=headers, by=by or key())


@pytest.mark.parametrize("surface", SURFACES)
def test_on_every_surface_the_strongest_name_counts_and_then_the_beginning(surface):
    """A header, then the cache's key, the user in the metadata, the answer that it goes on from."""
    header = {b"x-session-id": b"s"}
    names = [{"prompt_cache_key": "k"}, {"metadata": {"user_id": "u"}}]
    if surface == "responses":
        names.append({"previous_response_id": "resp_1"})
    fields = {name: value for each in names for name, value in each.items()}
    seen = {at(surface), at(surface, headers=header)}
    assert at(surface, headers=header) == at(surface, "other", headers=header, **fields)
    for number, name in enumerate(names):
        later = {field: value for each in names[number:] for field, value in each.items()}
        assert at(surface, **name) == at(surface, "other", **later)
        seen.add(at(surface, **name))
    assert len(seen) == len(names) + 2
    assert at(surface) != at(surface, "other")


@pytest.mark.parametrize("surface", SURFACES)
def test_on_every_surface_an_empty_name_names_nothing(surface):
    fields = {"prompt_cache_key": "", "metadata": {"user_id": ""}}
    assert at(surface, headers={b"x-session-id": b""}, **fields) == at(surface)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("named", [False, True])
def test_users_with_the_same_session_choose_independently(surface, named):
    """Of 200 pairs of users with the same words or name, a tenth meet at one of ten accounts."""
    one = channel(accounts=tuple(account(number) for number in range(1, 11)))
    headers = {b"session_id": b"mine"} if named else None
    homes = [
        Plan().pick(one, (), lambda _: True, at(surface, headers=headers, by=key(user_id=user))).id
        for user in range(1, 401)
    ]
    meet = sum(mine == other for mine, other in zip(homes[::2], homes[1::2], strict=True))
    assert 5 < meet < 40


@pytest.mark.parametrize("surface", SURFACES)
def test_the_keys_of_one_user_share_a_session(surface):
    headers = {b"session_id": b"mine"}
    mine, other = (at(surface, headers=headers, by=key(id=number)) for number in (1, 2))
    assert mine == other


# Not the pool's own: its clock is the loop's.
BEYOND = (type, ModuleType, FunctionType, asyncio.AbstractEventLoop)


def reachable(root):
    seen, left = {}, [root]
    while left:
        one = left.pop()
        if id(one) not in seen and not isinstance(one, BEYOND):
            seen[id(one)] = one
            left += gc.get_referents(one)
    return seen.values()


async def test_nothing_of_a_session_is_kept():
    name, words = f"session-{Random(3).getrandbits(64)}", "the only words of this call"
    async with open_floor() as floor:
        floor.world.snapshot = floor.catalogue(3)
        floor.script(1, status=500)
        body = chat(messages=turns(words), fake={"tokens": 3})
        client = await floor.answered(body, headers={b"x-session-id": name.encode()})
        assert client.status == 200
        number = session(body, headers={b"x-session-id": name.encode()})
        kept = [each for each in reachable(floor.pool) if isinstance(each, (str, bytes, int))]
        assert len(kept) > 10
        assert number not in kept
        for told in (*map(repr, kept), repr(floor.writer.rows)):
            assert name not in told and words not in told
