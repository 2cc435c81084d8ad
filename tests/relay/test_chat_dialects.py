"""Proof of the two surfaces of completions: what is asked, sent, read and shown."""

import msgspec
import pytest

from tests.relay.calls import account
from tests.relay.dialects import said_to, task_for
from tests.relay.visitor import Visitor
from tollbridge.core.errors import Surface
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.json_peek import FieldError
from tollbridge.relay.chat_dialects import CHAT, COMPLETIONS
from tollbridge.relay.dialects import Wish
from tollbridge.relay.straight import Straight
from tollbridge.relay.translated import Translated

IDENTITY = Identity("1", 1_700_000_000, "gpt-test")
STRICT, COMPATIBLE = account(), account(compatible=True)
MESSAGES = [{"role": "user", "content": "hello"}]


def asked(dialect, **fields):
    return dialect.read(Visitor({"model": "gpt-test", **fields}))


def prepared(dialect, to, limit=None, **fields):
    return msgspec.json.decode(dialect.prepare(*asked(dialect, **fields), to, limit))


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS])
def test_both_are_one_surface(dialect):
    assert (dialect.surface, dialect.surface_name) == (Surface.CHAT, "chat")
    assert not (dialect.free or dialect.images)


def test_each_goes_to_its_own_path():
    for dialect, path, fields in (
        (CHAT, b"/v1/chat/completions", {"messages": MESSAGES}),
        (COMPLETIONS, b"/v1/completions", {"prompt": "a"}),
    ):
        errand = dialect.errand(task_for(dialect, {"model": "gpt-test", **fields}), STRICT)
        assert isinstance(errand, Straight)
        assert (errand.path, errand.content_type, errand.native) == (
            path,
            b"application/json",
            True,
        )


@pytest.mark.parametrize("platform", ["anthropic", "gemini"])
def test_a_chat_goes_anywhere_and_a_text_completion_only_to_its_like(platform):
    foreign = account(platform=platform)
    task = task_for(CHAT, {"model": "gpt-test", "messages": MESSAGES})
    assert isinstance(CHAT.errand(task, foreign), Translated)
    assert CHAT.serves(foreign)
    assert not COMPLETIONS.serves(foreign)
    assert CHAT.serves(STRICT) and COMPLETIONS.serves(STRICT)


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS])
def test_a_slice_is_for_accounts_of_the_same_protocol_that_stop_when_told(dialect):
    assert dialect.sliced(STRICT)
    assert not dialect.sliced(account(stops_on_abort=False))
    assert dialect is COMPLETIONS or not dialect.sliced(account(platform="gemini"))


def test_a_chat_that_wants_images_says_so():
    for modalities, makes in ((["text", "image"], True), (["text", "audio"], False), ([], False)):
        _, ask = asked(CHAT, messages=MESSAGES, modalities=modalities)
        assert CHAT.makes_images(ask) == makes
    assert not COMPLETIONS.makes_images(asked(COMPLETIONS, prompt="a")[1])


@pytest.mark.parametrize("before", [{}, {"reasoning_effort": "low"}])
def test_an_effort_of_the_name_is_spliced_in(before):
    body = {"model": "gpt-x-high", "messages": MESSAGES, **before}
    task = task_for(CHAT, body, model="gpt-x", effort="high")
    sent = said_to(CHAT, task, STRICT)
    assert sent == {"model": "gpt-x", "messages": MESSAGES, "reasoning_effort": "high"}


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(None, 1, media_out=False, searches=0)),
        ({"max_tokens": 9, "n": 3}, Wish(9, 3, media_out=False, searches=0)),
        ({"max_tokens": 9, "max_completion_tokens": 5}, Wish(5, 1, media_out=False, searches=0)),
        ({"modalities": ["text"]}, Wish(None, 1, media_out=False, searches=0)),
        ({"modalities": ["text", "audio"]}, Wish(None, 1, media_out=True, searches=0)),
        ({"web_search_options": {}}, Wish(None, 1, media_out=False, searches=1)),
    ],
)
def test_what_a_chat_request_may_cost(fields, wish):
    assert CHAT.wish(asked(CHAT, messages=MESSAGES, **fields)[1]) == wish


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(16, 1, media_out=False, searches=0)),
        ({"max_tokens": 0}, Wish(0, 1, media_out=False, searches=0)),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5}, Wish(16, 10, media_out=False, searches=0)),
    ],
)
def test_what_a_text_completion_may_cost(fields, wish):
    assert COMPLETIONS.wish(asked(COMPLETIONS, **{"prompt": "a", **fields})[1]) == wish


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS])
def test_what_cannot_be_read_is_a_field_error(dialect):
    with pytest.raises(FieldError):
        asked(dialect, model=7)


def test_a_stream_is_asked_for_its_usage_and_a_whole_answer_is_left_alone():
    for dialect, fields in ((CHAT, {"messages": MESSAGES}), (COMPLETIONS, {"prompt": "a"})):
        top, ask = asked(dialect, **fields)
        assert dialect.prepare(top, ask, STRICT, None) == top.body
        streamed = prepared(dialect, STRICT, stream=True, **fields)
        assert streamed["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("to", "field"), [(STRICT, "max_completion_tokens"), (COMPATIBLE, "max_tokens")]
)
def test_a_limit_is_written_in_the_field_that_the_account_knows(to, field):
    body = prepared(CHAT, to, 77, messages=MESSAGES)
    assert body == {"model": "gpt-test", "messages": MESSAGES, field: 77}


def test_the_clients_own_limit_field_is_lowered_where_it_stands():
    assert prepared(CHAT, STRICT, 77, messages=MESSAGES, max_tokens=100)["max_tokens"] == 77
    assert prepared(COMPLETIONS, STRICT, 7, prompt="a", max_tokens=100)["max_tokens"] == 7
    assert prepared(COMPLETIONS, STRICT, 77, prompt="a", max_tokens=20)["max_tokens"] == 20


def test_whole_answers_are_read_and_only_chat_has_a_book_to_go_by():
    body = b'{"model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
    assert CHAT.read_reply(body).text_bytes == 2
    assert msgspec.json.decode(CHAT.normal(body, IDENTITY))["id"] == "chatcmpl-1"
    text = b'{"model":"m","choices":[{"text":"hey","finish_reason":"stop"}]}'
    assert COMPLETIONS.read_reply(text).text_bytes == 3
    assert COMPLETIONS.normal(text, IDENTITY) is text
    for dialect in (CHAT, COMPLETIONS):
        assert dialect.read_reply(b"not json").empty


FRAME = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}\n\n'
)
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
FIGURES = (
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize(("wants", "shown"), [(True, True), (False, False)])
def test_usage_that_only_we_asked_for_is_hidden_again(wants, shown):
    options = {"stream_options": {"include_usage": wants}}
    for dialect, fields in ((CHAT, {"messages": MESSAGES}), (COMPLETIONS, {"prompt": "a"})):
        _, ask = asked(dialect, stream=True, **options, **fields)
        tap = dialect.tap(ask, STRICT, IDENTITY)
        out = tap.feed(FRAME) + tap.feed(FINISH) + tap.feed(FIGURES)
        tap.close()
        assert (b'"usage"' in out + tap.finish_text()) == shown
        assert (tap.usage.input, tap.usage.output) == (1, 2)


def test_a_stream_has_finished_when_every_copy_has():
    two = FINISH.replace(b'"index":0', b'"index":1')
    for dialect, fields in ((CHAT, {"messages": MESSAGES}), (COMPLETIONS, {"prompt": "a"})):
        _, ask = asked(dialect, stream=True, n=2, **fields)
        tap = dialect.tap(ask, STRICT, IDENTITY)
        tap.feed(FRAME + FINISH)
        assert not tap.finished
        tap.feed(two)
        assert tap.finished


def test_a_compatible_accounts_stream_is_told_by_the_book():
    _, ask = asked(CHAT, stream=True, messages=MESSAGES)
    out = CHAT.tap(ask, COMPATIBLE, IDENTITY).feed(FRAME)
    chunk = msgspec.json.decode(out.removeprefix(b"data: "))
    assert (chunk["id"], chunk["model"]) == ("chatcmpl-1", "gpt-test")
    assert chunk["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize(
    "fields",
    [
        {"modalities": ["text", "audio"]},
        {"web_search_options": {}},
        {"reasoning_effort": "low"},
        {"reasoning": {"effort": "none"}},
        {"thinking": {"type": "disabled"}},
        {"enable_thinking": False},
        {"prediction": {"type": "content", "content": "a"}},
        {"tools": [{"type": "custom", "custom": {"name": "shell"}}]},
    ],
)
def test_output_that_may_be_hidden_is_not_counted_on(fields):
    assert not CHAT.visible(*asked(CHAT, messages=MESSAGES, **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"modalities": ["text"]},
        {"reasoning_effort": "none"},
        {"reasoning_effort": "minimal"},
        {"thinking": None},
        {"n": 3, "tools": [{"type": "function", "function": {"name": "look_up"}}]},
    ],
)
def test_plain_output_is_visible(fields):
    assert CHAT.visible(*asked(CHAT, messages=MESSAGES, **fields))


def test_texts_that_are_only_compared_are_not_visible():
    assert COMPLETIONS.visible(*asked(COMPLETIONS, prompt="a", n=2))
    assert not COMPLETIONS.visible(*asked(COMPLETIONS, prompt="a", best_of=2))
