"""What the pretend model answers, and that it never produces more than it may."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.demo.fake_script import (
    Ask,
    BadAsk,
    Script,
    answer,
    pieces,
    read_ask,
    read_script,
    script_of,
)


def ask(**fields: object) -> Ask:
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "hello"}], **fields}
    return read_ask(msgspec.json.encode(body))


def test_default_answer_names_the_model_and_stops() -> None:
    said = answer(ask(), Script())
    assert "gpt-x" in "".join(said.tokens)
    assert said.finish == "stop"
    assert said.completion_tokens == len(said.tokens) == len("".join(said.tokens).split())


def test_prompt_tokens_are_a_quarter_of_what_is_read() -> None:
    assert ask(prompt="x" * 398, messages=[]).prompt_tokens() == (400 + 2) // 4
    assert Ask().prompt_tokens() == 1


@given(
    limit=st.none() | st.integers(0, 60),
    other=st.none() | st.integers(0, 60),
    n=st.integers(1, 4),
    tokens=st.integers(0, 50),
    reasoning=st.integers(0, 50),
)
def test_limits_hold_for_each_choice(
    limit: int | None, other: int | None, n: int, tokens: int, reasoning: int
) -> None:
    asked = ask(max_tokens=limit, max_completion_tokens=other, n=n)
    said = answer(asked, Script(tokens=tokens, reasoning=reasoning))
    most = min((value for value in (limit, other) if value is not None), default=None)
    each = said.reasoning + len(said.tokens)
    assert said.completion_tokens == each * n
    assert each == (tokens + reasoning if most is None else min(most, tokens + reasoning))
    assert (said.finish == "length") == (each < tokens + reasoning)


@given(tokens=st.integers(0, 50), events=st.none() | st.integers(0, 60))
def test_pieces_carry_every_token_once(tokens: int, events: int | None) -> None:
    words = tuple(f" w{index}" for index in range(tokens))
    cut = pieces(words, events)
    assert "".join(text for text, _ in cut) == "".join(words)
    assert sum(count for _, count in cut) == tokens
    assert all(count > 0 for _, count in cut)
    assert len(cut) == (tokens if events is None else min(max(events, 1), tokens))


def test_many_tokens_repeat_the_text() -> None:
    said = answer(ask(), Script(tokens=7, text="one two three"))
    assert "".join(said.tokens) == "one two three one two three one"


def test_fixed_text_and_empty() -> None:
    assert answer(ask(), Script(text="Just this.")).tokens == ("Just", " this.")
    nothing = answer(ask(), Script(empty=True, reasoning=5))
    assert (nothing.tokens, nothing.finish, nothing.completion_tokens) == ((), None, 0)


def test_overrides() -> None:
    said = answer(ask(), Script(prompt_tokens=100, cached_tokens=40, no_finish=True))
    assert (said.prompt_tokens, said.cached_tokens, said.finish) == (100, 40, None)
    assert answer(ask(), Script(tool_calls=1)).finish == "tool_calls"


def test_script_lies_over_the_accounts_defaults() -> None:
    asked = ask(fake={"tokens": 3})
    script = read_script(asked, {"status": 503, "tokens": 9})
    assert (script.status, script.tokens) == (503, 3)
    assert read_script(ask(), None) == Script()


@pytest.mark.parametrize(
    ("fake", "rich", "decides"),
    [
        ({}, False, False),
        ({"tokens": 3}, False, True),
        ({"reasoning": 3, "delay_ms": 1}, False, False),
        ({"thought": "Hm."}, True, False),
        ({"calls": [{"name": "a", "arguments": {"b": 1}}]}, True, True),
        ({"stop": "length"}, True, True),
        ({"pings": 1}, True, False),
        ({"tool_calls": True}, False, True),
    ],
)
def test_what_a_script_asks_for(fake: object, rich: bool, decides: bool) -> None:
    script = read_script(ask(fake=fake))
    assert (script.rich, script.decides) == (rich, decides)


def test_what_a_request_wishes() -> None:
    assert not ask().wishes
    assert all(ask(**{name: []}).wishes for name in ("tools", "response_format", "modalities"))


def test_scripts_of_forms() -> None:
    assert script_of(b"") == Script()
    assert script_of(b'{"tokens":3}', {"text": "a"}) == Script(tokens=3, text="a")
    with pytest.raises(BadAsk, match="fake"):
        script_of(b"{")


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"model":1}', b'{"n":0}', b'{"n":129}', b'{"max_tokens":-1}', b"[" * 100_000],
)
def test_wrong_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(BadAsk):
        read_ask(body)


@pytest.mark.parametrize("fake", [{"tokns": 1}, {"tokens": -1}, {"usage": "maybe"}, {"status": 99}])
@pytest.mark.parametrize("defaults", [None, {"tokens": 2}])
def test_wrong_scripts_are_refused(fake: object, defaults: dict[str, object] | None) -> None:
    with pytest.raises(BadAsk, match="fake"):
        read_script(ask(fake=fake), defaults)
