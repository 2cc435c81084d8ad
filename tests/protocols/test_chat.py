"""Requests are read by type and range and changed by splicing; replies are read without raising."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.chat import prepare, read_ask, read_reply, text_size
from tollbridge.protocols.facts import ReplyFacts, UpstreamFault, fault_from
from tollbridge.protocols.json_peek import FieldError, RangeError, peek

BASE = {"model": "m", "messages": [{}]}


def ask_of(**fields):
    return read_ask(peek(json.dumps({**BASE, **fields}).encode()))


def prepared(fields, *, model=None, output_limit=None, force_usage=False, **options):
    top = peek(json.dumps({**BASE, **fields}).encode())
    body = prepare(
        top,
        read_ask(top),
        model=model,
        output_limit=output_limit,
        force_usage=force_usage,
        **options,
    )
    return json.loads(body)


def test_an_ask_with_nothing_special():
    ask = ask_of()
    assert (ask.model, ask.stream, ask.include_usage, ask.limit, ask.limit_field) == (
        "m",
        False,
        False,
        None,
        None,
    )
    assert (ask.copies, ask.modalities, ask.has_tools, ask.web_search) == (1, (), False, False)


def test_an_ask_with_everything():
    ask = ask_of(
        stream=True, stream_options={"include_usage": True}, max_tokens=9, max_completion_tokens=7, n=3,
        modalities=["text", "audio"], tools=[{}], web_search_options={},
    )  # fmt: skip
    assert (ask.stream, ask.include_usage, ask.limit, ask.limit_field) == (
        True,
        True,
        7,
        "max_completion_tokens",
    )
    assert (ask.copies, ask.modalities, ask.has_tools, ask.web_search) == (
        3,
        ("text", "audio"),
        True,
        True,
    )
    assert ask_of(max_tokens=6, max_completion_tokens=7).limit_field == "max_tokens"


def test_nulls_are_absent():
    names = (
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "modalities",
        "tools",
    )
    assert ask_of(**dict.fromkeys(names)) == ask_of()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"n": 1.5}, "n"),
        ({"modalities": "audio"}, "modalities"),
        ({"modalities": [1]}, "modalities"),
    ],
)
def test_wrong_types_name_the_field(fields, name):
    with pytest.raises(FieldError) as caught:
        ask_of(**fields)
    assert caught.value.name == name
    assert not isinstance(caught.value, RangeError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_completion_tokens", 0),
        ("n", 0),
        ("n", 129),
        ("n", 10**20),
    ],
)
def test_wrong_values_name_the_field(name, value):
    with pytest.raises(RangeError) as caught:
        ask_of(**{name: value})
    assert caught.value.name == name


def test_stream_options_that_name_a_thing_twice_are_refused():
    body = b'{"model":"m","messages":[{}],"stream_options":{"include_usage":true,"include_usage":false}}'
    with pytest.raises(FieldError):
        read_ask(peek(body))


def test_huge_limits_are_exact():
    assert ask_of(max_tokens=10**20).limit == 10**20


def test_nothing_to_change_is_the_same_object():
    top = peek(json.dumps({**BASE, "max_tokens": 5}).encode())
    ask = read_ask(top)
    assert prepare(top, ask, model="m", output_limit=5, force_usage=True) is top.body


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({}, {"max_completion_tokens": 50}),
        ({"max_tokens": 40}, {}),
        ({"max_tokens": 90}, {"max_tokens": 50}),
        (
            {"max_tokens": 90, "max_completion_tokens": 60},
            {"max_tokens": 50, "max_completion_tokens": 50},
        ),
        ({"max_tokens": 40, "max_completion_tokens": 60}, {"max_completion_tokens": 50}),
        ({"max_tokens": None, "max_completion_tokens": None}, {"max_completion_tokens": 50}),
        ({"max_tokens": 10**20}, {"max_tokens": 50}),
    ],
)
def test_the_output_is_bounded(fields, change):
    assert prepared(fields, output_limit=50) == {**BASE, **fields, **change}


def test_the_limit_field_of_old_upstreams():
    assert prepared({}, output_limit=5, limit_field_default="max_tokens") == {
        **BASE,
        "max_tokens": 5,
    }


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, {"include_usage": True, "include_obfuscation": False}),
        ({"include_usage": None, "x": [1]}, {"include_usage": True, "x": [1]}),
    ],
)
def test_usage_is_asked_for_in_streams(options, sent):
    fields = {"stream": True, "stream_options": options}
    assert prepared(fields, force_usage=True)["stream_options"] == sent
    assert (
        prepared({"stream": False, "stream_options": options}, force_usage=True)["stream_options"]
        == options
    )


def test_a_mapped_model_changes_only_its_value():
    body = b'{ "messages":[{"model":"m"}], "x":1.50, "model":"m" }'
    top = peek(body)
    sent = prepare(top, read_ask(top), model='vendor/m"2', output_limit=None, force_usage=False)
    assert sent == b'{ "messages":[{"model":"m"}], "x":1.50, "model":"vendor/m\\"2" }'


def test_recorded_requests_are_read(corpus):
    requests = [recording.request for recording in recordings.load(corpus, "openai_chat")]
    # Without a model in the body are those that name a deployment in the path.
    asks = [request for request in requests if isinstance(request, dict) and "model" in request]
    for request in asks:
        body = json.dumps(request, ensure_ascii=False).encode()
        top = peek(body)
        ask = read_ask(top)
        assert ask.model == request["model"]
        assert ask.stream == bool(request.get("stream"))
        sent = json.loads(prepare(top, ask, model="other", output_limit=3, force_usage=True))
        for name in request.keys() - {
            "model",
            "max_tokens",
            "max_completion_tokens",
            "stream_options",
        }:
            assert sent[name] == request[name]
        assert sent["model"] == "other"
        assert 3 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    print(f"requests checked: {len(asks)}")
    assert len(asks) > 300


def reply(message, finish="stop", **fields):
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"model": "m-1", "choices": [choice], **fields}).encode()


def test_a_plain_reply():
    facts = read_reply(
        reply(
            {"role": "assistant", "content": "héllo"},
            usage={"prompt_tokens": 3, "completion_tokens": 2},
        )
    )
    assert (facts.model, facts.finished, facts.empty, facts.text_bytes, facts.error) == (
        "m-1",
        True,
        False,
        6,
        None,
    )
    assert (facts.usage.input, facts.usage.output, facts.usage_seen) == (3, 2, True)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "x"},
        {"content": None, "refusal": "no"},
        {"content": "", "reasoning_content": "hm"},
        {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}]},
        {"content": None, "audio": {"id": "a", "data": "AAAA"}},
        {"content": [{"type": "text", "text": "x"}]},
        {"content": None, "images": [{}]},
    ],
)
def test_every_kind_of_product_counts(message):
    assert not read_reply(reply(message)).empty


@pytest.mark.parametrize(
    "message",
    [{}, {"role": "assistant", "content": None, "tool_calls": []}, {"content": ""}, None, 5],
)
def test_nothing_produced_is_empty(message):
    assert read_reply(reply(message)).empty


def test_text_is_counted_once():
    message = {
        "content": "ab", "refusal": "c", "reasoning": "def", "reasoning_details": [{"text": "def"}],
        "tool_calls": [{"id": "call", "type": "function", "function": {"name": "g", "arguments": '{"h":1}'}}],
    }  # fmt: skip
    assert text_size(message) == 2 + 1 + 3 + 1 + 7
    assert (
        text_size({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "é"}]}]})
        == 2
    )


def test_an_error_in_a_good_status():
    facts = read_reply(b'{"error":{"message":"busy","type":"overloaded","code":503}}')
    assert facts.error == UpstreamFault(type="overloaded", code="503", message="busy", status=503)
    assert facts.empty and not facts.finished


def test_faults_of_any_shape():
    assert fault_from(None) is None
    assert fault_from({}) is None
    assert fault_from("busy") == UpstreamFault(type="", code="", message="busy")
    assert fault_from([1]) == UpstreamFault(type="", code="", message="")
    assert fault_from({"code": "x", "status": 429}).status == 429
    assert fault_from({"code": 7, "status": "429"}).status is None


@given(st.binary(max_size=80))
def test_anything_is_read_without_raising(body):
    assert not read_reply(body).finished


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "message", "usage", "error", "model", "content", "tool_calls"]
                ),
                inner,
            )
        ),
    )
)
def test_odd_objects_are_read_without_raising(value):
    assert isinstance(read_reply(json.dumps(value).encode()), ReplyFacts)
    assert isinstance(
        read_reply(json.dumps({"choices": value, "usage": value}).encode()), ReplyFacts
    )


def test_absurd_nesting_is_no_reply():
    assert read_reply(b"[" * 100_000) == ReplyFacts()
    assert read_reply(b'{"a":' * 100_000) == ReplyFacts()


def test_recorded_replies(corpus):
    ran = 0
    for recording in recordings.load(corpus, "openai_chat"):
        if recording.sse is not None or "choices" not in recording.body:
            continue
        facts = read_reply(json.dumps(recording.body).encode())
        messages = [choice.get("message") or {} for choice in recording.body["choices"]]
        texts = [m.get("content") for m in messages]
        spoken = any(texts) or any(
            m.get("tool_calls") or m.get("audio") or m.get("refusal") for m in messages
        )
        silent = not spoken and not any(
            m.get("reasoning") or m.get("reasoning_content") for m in messages
        )
        assert facts.empty == silent, recording.file
        assert facts.model == recording.body["model"]
        assert facts.finished == all(
            choice.get("finish_reason") for choice in recording.body["choices"]
        )
        assert facts.text_bytes >= sum(len(t.encode()) for t in texts if isinstance(t, str))
        assert facts.usage_seen == bool(recording.body.get("usage"))
        ran += 1
    print(f"replies checked: {ran}")
    assert ran > 160
