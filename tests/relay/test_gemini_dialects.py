"""Proof of the surface of Gemini: what path and body ask, what is sent, how frames travel."""

import msgspec
import pytest

from tests.relay.calls import account, admitted, asked, channel, snapshot
from tests.relay.dialects import said_to, task_for
from tests.relay.visitor import Visitor
from tollbridge.core.errors import ApiError, Kind, Profile, Surface, render
from tollbridge.protocols.gemini import RoleMissing
from tollbridge.protocols.gemini_stream import GeminiTap
from tollbridge.protocols.json_peek import FieldError
from tollbridge.relay.dialects import Wish
from tollbridge.relay.gate import read_body
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.responses_dialects import SEARCHES_MOST
from tollbridge.relay.straight import Straight
from tollbridge.relay.translated import Translated

GEMINI = account(platform="gemini")
PATH = "/v1beta/models/gpt-test:generateContent"


def body(*, config=None, **fields):
    fields = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}], **fields}
    return fields if config is None else {**fields, "generationConfig": config}


def call(model="gemini-2.5-flash", *, stream=False):
    return GeminiCall("v1beta", model, stream=stream)


def ask(**fields):
    return call().read(Visitor(body(**fields)))[1]


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(None)),
        ({"config": {"maxOutputTokens": 9, "candidateCount": 2}}, Wish(9, 2)),
        ({"config": {"responseModalities": ["TEXT"]}}, Wish(None)),
        ({"config": {"responseModalities": ["TEXT", "IMAGE"]}}, Wish(None, media_out=True)),
        ({"config": {"responseModalities": ["AUDIO"]}}, Wish(None, media_out=True)),
        ({"tools": [{"googleSearch": {}}]}, Wish(None, searches=SEARCHES_MOST)),
    ],
)
def test_what_a_request_may_cost(fields, wish):
    assert call().wish(ask(**fields)) == wish


@pytest.mark.parametrize(
    ("fields", "visible"),
    [
        ({"config": {"thinkingConfig": {"thinkingBudget": 0}}}, True),
        ({}, False),
        ({"config": {"thinkingConfig": {"thinkingBudget": 9}}}, False),
        (
            {
                "config": {
                    "thinkingConfig": {"thinkingBudget": 0},
                    "responseModalities": ["IMAGE"],
                }
            },
            False,
        ),
        (
            {
                "config": {"thinkingConfig": {"thinkingBudget": 0}},
                "tools": [{"codeExecution": {}}],
            },
            False,
        ),
    ],
)
def test_only_a_model_that_may_not_think_shows_all(fields, visible):
    assert call().visible(None, ask(**fields)) == visible


def test_a_slice_is_for_accounts_of_the_same_protocol_that_stop_when_told():
    assert call().sliced(GEMINI)
    assert not call().sliced(account(platform="gemini", stops_on_abort=False))
    assert not call().sliced(account())


@pytest.mark.parametrize("fields", [{"contents": []}, {"contents": "a"}, {"tools": {}}])
def test_what_cannot_be_read_is_a_field_error(fields):
    with pytest.raises(FieldError):
        ask(**fields)


def test_a_missing_role_is_told_in_googles_words_and_says_what_to_do():
    contents = [{"role": "user", "parts": []}, {"parts": [{"text": "a"}]}]
    with pytest.raises(RoleMissing):
        ask(contents=contents)
    with pytest.raises(ApiError) as error:
        read_body(asked(body(contents=contents), path=PATH))
    rendered = render(error.value, Surface.GEMINI, Profile.STRICT, "0" * 32)
    told = msgspec.json.decode(rendered.body)["error"]
    assert (rendered.status, told["code"], told["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert told["message"] == (
        "Request contains an invalid argument: contents[1].role must be"
        ' "user" or "model". Give every content a role: "user" or "model".'
    )


@pytest.mark.parametrize(
    ("query", "stream", "array"),
    [
        (b"", True, True),
        (b"alt=json", True, True),
        (b"key=abc&$alt=sse", True, True),
        (b"alt=sse", True, False),
        (b"key=abc&alt=sse", True, False),
        (b"", False, False),
        (b"\xff&=&%", True, True),
    ],
)
def test_a_stream_is_an_array_unless_events_were_asked_for(query, stream, array):
    one = call(stream=stream)
    one.read(Visitor(body(), query=query))
    assert (one.framing() is not None) == array


def test_each_stream_has_an_array_of_its_own():
    one = call(stream=True)
    one.read(Visitor(body()))
    first, second = one.framing(), one.framing()
    assert first.open(b'data: {"a":1}\n\n') == second.open(b'data: {"a":1}\n\n') == b'[{"a":1}'
    assert first.content_type == b"application/json"
    assert msgspec.json.decode(b"[" + first.heartbeat + b"]") == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("query", [b"", b"alt=sse"])
def test_gemini_is_spoken_to_in_the_clients_own_bytes_and_always_read_as_events(stream, query):
    raw = b'{ "contents" : [ {"role":"user","parts":[{"text":"a"}]} ], "future" : [1,  2] }'
    errand = call(stream=stream).errand(task_for(call(stream=stream), raw, query=query), GEMINI)
    assert isinstance(errand, Straight)
    action = b"streamGenerateContent?alt=sse" if stream else b"generateContent"
    assert errand.path == b"/v1beta/models/gemini-2.5-flash:" + action
    assert errand.body == raw
    assert isinstance(errand.tap(), GeminiTap)


@pytest.mark.parametrize("to", [account(), account(compatible=True), account(platform="anthropic")])
def test_all_others_get_a_translation(to):
    assert call().serves(to)
    assert isinstance(call().errand(task_for(call(), body()), to), Translated)


def test_a_limit_and_a_mapped_name_are_written_where_they_stand():
    raw = body(model="models/gemini-2.5-flash", config={"maxOutputTokens": 500, "topK": 3})
    sent = said_to(call(), task_for(call(), raw, limit=77, model="other"), GEMINI)
    expected = body(model="models/other", config={"maxOutputTokens": 77, "topK": 3})
    assert sent == expected
    errand = call().errand(task_for(call(), body(), model="other"), GEMINI)
    assert errand.path == b"/v1beta/models/other:generateContent"


@pytest.mark.parametrize(
    ("sold", "told"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 24_576}),
        ("gemini-3-pro-preview", {"thinkingLevel": "HIGH"}),
        ("gemini-2.0-flash", {}),
    ],
)
@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ({}, {}),
        ({"topK": 3, "seed": 4}, {}),
        ({"thinkingConfig": {"thinkingBudget": 5, "includeThoughts": True}}, {"includeThoughts": True}),
        ({"thinking_config": {"thinking_level": "LOW"}}, {}),
    ],
)  # fmt: skip
def test_an_effort_of_the_name_becomes_what_the_model_takes(sold, told, before, kept):
    one = call(f"{sold}-high")
    contents = [{"role": "user", "parts": [{"text": "hello", "future": 1}]}]
    task = task_for(
        one, body(contents=contents, config=before, labels={"a": "b"}), model=sold, effort="high"
    )
    rest = {name: value for name, value in before.items() if not name.startswith("thinking")}
    thinking = {"thinkingConfig": {**kept, **told}} if kept or told else {}
    assert said_to(one, task, GEMINI) == {
        "contents": contents,
        "labels": {"a": "b"},
        "generationConfig": {**rest, **thinking},
    }
    assert one.errand(task, GEMINI).path == f"/v1beta/models/{sold}:generateContent".encode()


@pytest.mark.parametrize("spelling", ["responseModalities", "response_modalities"])
def test_images_need_a_channel_that_may_make_them(spelling):
    wants = body(config={spelling: ["TEXT", "Image"]})
    with pytest.raises(ApiError) as error:
        admitted(wants, path=PATH)
    assert error.value.kind is Kind.IMAGES_NOT_ENABLED
    able = snapshot(channel(capabilities=frozenset({"images"})))
    assert admitted(wants, path=PATH, catalogue=able).wish.media_out


def test_whole_answers_are_read_and_left_as_they_are():
    candidate = {"content": {"parts": [{"text": "hey"}]}, "finishReason": "STOP"}
    answer = msgspec.json.encode({"modelVersion": "m", "candidates": [candidate]})
    errand = call().errand(task_for(call(), body()), GEMINI)
    facts, shown = errand.read(answer, b"application/json")
    assert (facts.text_bytes, facts.finished, shown) == (3, True, answer)
    assert errand.read(b"not json", b"")[0].empty
