"""Proof of what belongs together: a session by its name, else by how it begins; never two users'."""

from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import admitted, asked, chat, key
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
