"""Legacy text completions: prompts are counted, the default limit is bounded, streams are chat's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.chat_stream import ChatTap
from tollbridge.protocols.completions import LIMIT_DEFAULT, prepare, read_ask, read_reply
from tollbridge.protocols.json_peek import FieldError, RangeError, peek


def ask_of(**fields):
    return read_ask(peek(json.dumps({"model": "m", **fields}).encode()))


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("a", 1),
        (None, 1),
        ([], 1),
        ([1, 2, 3], 1),
        (["a"], 1),
        (["a", "b"], 2),
        ([[1], [2, 3], [4]], 3),
    ],
)
def test_prompts_are_counted(prompt, count):
    ask = ask_of(prompt=prompt)
    assert (ask.copies, ask.choices) == (count, count)


def test_copies_are_what_is_generated():
    ask = ask_of(prompt=["a", "b"], n=2, best_of=5)
    assert (ask.copies, ask.choices) == (10, 4)
    assert ask_of(prompt="a", n=3).copies == 3


def test_the_default_limit_counts():
    assert (ask_of().limit, ask_of().limited) == (LIMIT_DEFAULT, False)
    assert (ask_of(max_tokens=5).limit, ask_of(max_tokens=5).limited) == (5, True)
    assert ask_of(max_tokens=0, echo=True).limit == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"prompt": 5},
        {"prompt": {}},
        {"max_tokens": "5"},
        {"n": 0},
        {"best_of": 129},
        {"echo": 1},
    ],
)
def test_wrong_fields_are_named(fields):
    with pytest.raises(FieldError) as caught:
        ask_of(**fields)
    assert caught.value.name in fields


def test_too_many_prompts():
    with pytest.raises(RangeError):
        ask_of(prompt=["a"] * 2049)
    assert ask_of(prompt=[1] * 2049).copies == 1


@pytest.mark.parametrize(
    ("fields", "limit", "sent"),
    [
        ({}, 50, None),
        ({}, 5, 5),
        ({"max_tokens": None}, 5, 5),
        ({"max_tokens": 90}, 50, 50),
        ({"max_tokens": 40}, 50, 40),
    ],
)
def test_the_output_is_bounded(fields, limit, sent):
    top = peek(json.dumps({"model": "m", **fields}).encode())
    body = json.loads(
        prepare(top, read_ask(top), model=None, output_limit=limit, force_usage=False)
    )
    assert body.get("max_tokens") == sent


def test_model_and_usage_are_spliced():
    top = peek(b'{"model":"m", "stream":true, "x":1.0}')
    sent = prepare(top, read_ask(top), model="n", output_limit=None, force_usage=True)
    assert sent == b'{"stream_options":{"include_usage":true},"model":"n", "stream":true, "x":1.0}'


@given(
    st.binary(max_size=60)
    | st.sampled_from([b'{"choices":3}', b'{"choices":[3,{"text":1}]}', b'{"choices":[]}'])
)
def test_anything_is_read_without_raising(body):
    facts = read_reply(body)
    assert facts.empty and not facts.finished


def test_recorded_replies_and_streams(corpus):
    ran = 0
    for recording in recordings.load(corpus, "openai_completions"):
        ran += 1
        if recording.sse is None:
            facts = read_reply(json.dumps(recording.body).encode())
            texts = [choice["text"] for choice in recording.body["choices"]]
            usage, given = facts.usage, recording.body.get("usage")
            assert facts.text_bytes == sum(len(text.encode()) for text in texts)
            assert facts.empty == (not any(texts))
            assert facts.finished == all(c.get("finish_reason") for c in recording.body["choices"])
        else:
            tap = ChatTap(copies=ask_of(**{"model": "m", **recording.request}).choices)
            shown = b"".join(
                [tap.feed(recording.sse[at : at + 50]) for at in range(0, len(recording.sse), 50)]
            )
            tap.close()
            assert shown + tap.finish_text() == recording.sse
            texts = [c["text"] for event in recording.events() for c in event["choices"]]
            assert tap.text_bytes == sum(len(text.encode()) for text in texts)
            assert tap.content and tap.finished and tap.done
            usage = tap.usage
            given = next(
                (event["usage"] for event in recording.events() if event.get("usage")), None
            )
        expected = recordings.plain_usage(given) if given and "completion_tokens" in given else None
        if expected:
            assert (usage.tokens_in(), usage.output, usage.cache_read) == expected, recording.file
    print(f"text completions checked: {ran}")
    assert ran >= 20
