"""Proof that a told cost is one member more, that all else is the upstream's, and who gets to see it."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.recordings import load
from tollbridge.protocols import cost_splice
from tollbridge.protocols.cost_splice import in_body, in_frames, wished
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.usage import Usage

COST = "0.000123456"
MEMBER = b'"cost":0.000123456'
USED = Usage(input=11, cache_read=3, output=7, reasoning=2)
FOLDERS = {
    "openai_chat": cost_splice.CHAT,
    "openai_completions": cost_splice.CHAT,
    "openai_responses": cost_splice.RESPONSES,
    "openai_embeddings": cost_splice.EMBEDDINGS,
    "anthropic": cost_splice.MESSAGES,
    "gemini": cost_splice.GEMINI,
}
STREAMS = {
    "chat": (
        cost_splice.CHAT,
        b'data: {"id":"c","object":"o","created":5,"model":"m","choices":[{"index":0}]}\n\n',
        b"data: [DONE]\n\n",
    ),
    "messages": (
        cost_splice.MESSAGES,
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"x"}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
    "responses": (
        cost_splice.RESPONSES,
        b'data: {"type":"response.completed","response":{"id":"r","usage":null}}\n\n',
        b"",
    ),
    "gemini": (cost_splice.GEMINI, b'data: {"candidates":[{"index":0}]}\r\n\r\n', b""),
}


def usages(place, shown):
    """Return the usage objects of a body or of frames."""
    datas = [data_of(frame) for frame in Framer().feed(shown)] or [shown]
    found = []
    for data in datas:
        if data and data.strip().startswith(b"{"):
            value = json.loads(data, parse_float=Decimal)
            inner = value.get(place.inside) if place.inside and place.inside in value else value
            found.append((inner or {}).get(place.name))
    return [one for one in found if isinstance(one, dict)]


def without(shown):
    """Take the member out again, the comma beside it included."""
    assert shown.count(MEMBER) == 1
    return shown.replace(MEMBER + b",", b"").replace(MEMBER, b"")


# ------------------------------------------------------------ the wish


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", False),
        (b'{"usage":null}', False),
        (b'{"usage":{}}', False),
        (b'{"usage":{"include":null}}', False),
        (b'{"usage":{"include":false}}', False),
        (b'{"usage": {"include" : true, "other": 1}}', True),
    ],
)
def test_a_cost_is_told_to_those_who_ask_for_it(body, expected):
    assert wished(peek(body)) is expected


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("true", "usage"),
        ('"include"', "usage"),
        ("[]", "usage"),
        ('{"include":true,"include":false}', "usage"),
        ('{"include":"yes"}', "usage.include"),
        ('{"include":1}', "usage.include"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused_by_name(value, name):
    with pytest.raises(FieldError) as raised:
        wished(peek(b'{"usage":%b}' % value.encode()))
    assert raised.value.name == name


# ------------------------------------------------------------ recorded traffic


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_recorded_answers_have_one_member_more(corpus, folder):
    place, checked = FOLDERS[folder], 0
    for one in load(corpus, folder):
        if not isinstance(one.body, dict) or not isinstance(one.body.get(place.name), dict):
            continue
        wire = json.dumps(one.body, indent=2, ensure_ascii=False).encode()
        shown = in_body(wire, place, COST, USED)
        (told,) = usages(place, shown)
        assert told.pop("cost") == Decimal(COST)
        if "cost" not in one.body[place.name]:
            assert without(shown) == wire, one.file
            checked += 1
    assert checked >= (1 if folder == "openai_completions" else 10)


@pytest.mark.parametrize("folder", ["anthropic", "gemini", "openai_chat", "openai_responses"])
def test_recorded_streams_have_one_member_more(corpus, folder):
    place, checked = FOLDERS[folder], 0
    for one in load(corpus, folder):
        if one.sse is None:
            continue
        before, shown = usages(place, one.sse), in_frames(one.sse, place, COST, USED)
        if not before or b'"cost"' in one.sse:
            continue
        assert without(shown) == one.sse, one.file
        assert usages(place, shown)[-1]["cost"] == Decimal(COST)
        assert len(usages(place, shown)) == len(before)
        checked += 1
    assert checked >= 20


# ------------------------------------------------------------ all the rest


def test_the_cost_of_an_upstream_gives_way():
    body = b'{ "usage" : {"cost" : 9.75, "prompt_tokens":1 } }'
    shown = in_body(body, cost_splice.CHAT, COST, USED)
    assert shown == b'{ "usage" : {"cost" : 0.000123456, "prompt_tokens":1 } }'


@pytest.mark.parametrize("usage", [b"", b',"usage":null', b',"usageMetadata":null'])
@pytest.mark.parametrize("place", {id(place): place for place in FOLDERS.values()}.values())
def test_an_answer_without_usage_gets_what_is_charged(place, usage):
    body = b'{"id":"x"' + usage + b"}"
    (told,) = usages(place, in_body(body, place, COST, USED))
    assert told.pop("cost") == Decimal(COST)
    assert told == place.fields(USED)


@pytest.mark.parametrize("body", [b"", b"[1]", b"no json", b'{"usage":1,"usage":2}'])
def test_what_is_no_answer_of_the_protocol_stays_as_it_is(body):
    assert in_body(body, cost_splice.CHAT, COST, USED) == body


@pytest.mark.parametrize("surface", sorted(STREAMS))
def test_a_stream_without_usage_gets_what_is_charged(surface):
    place, finish, end = STREAMS[surface]
    shown = in_frames(finish + end, place, COST, USED)
    (told,) = usages(place, shown)
    assert told.pop("cost") == Decimal(COST)
    assert told == place.fields(USED)
    assert shown.endswith(end)
    # The protocol's own frames stand in their order; chat's figures have a frame of their own.
    assert len(Framer().feed(shown)) == len(Framer().feed(finish + end)) + (surface == "chat")
    if surface == "chat":
        assert shown.startswith(finish)
        chunk = json.loads(data_of(Framer().feed(shown)[1]))
        assert (chunk["id"], chunk["model"], chunk["choices"]) == ("c", "m", [])


def test_frames_that_can_bear_no_usage_stay_as_they_are():
    for place in (cost_splice.CHAT, cost_splice.MESSAGES, cost_splice.GEMINI):
        for frames in (b"", b"data: [DONE]\n\n", b": hello\n\n", b'data: {"error":{}}\n\n'):
            assert in_frames(frames, place, COST, USED) == frames


def test_only_the_last_usage_is_told_the_cost():
    frame = b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n'
    shown = in_frames(frame + frame, cost_splice.CHAT, COST, USED)
    assert shown == frame + frame.replace(b'{"total', b"{" + MEMBER + b',"total')


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_of_several_lines_keeps_its_lines(end):
    lines = [b"event: x", b'data: {"choices":[],', b'data:"usage":', b'data: {"a":1', b"data: }}"]
    frame = end.join([*lines, b"", b""])
    shown = in_frames(frame, cost_splice.CHAT, COST, USED)
    assert shown == frame.replace(b'{"a"', b"{" + MEMBER + b',"a"')


def test_a_frame_that_nothing_ends_is_told_too():
    shown = in_frames(b'data: {"candidates":[],"usageMetadata":{}}', cost_splice.GEMINI, COST, USED)
    assert shown == b'data: {"candidates":[],"usageMetadata":{%b}}' % MEMBER


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text(max_size=6).filter(lambda name: name != "cost"), JSON, max_size=4)


@given(before=FIELDS, figures=FIELDS, after=FIELDS, indent=st.sampled_from([None, 0, 2]))
def test_every_other_byte_survives(before, figures, after, indent):
    whole = {**before, "usage": figures, **{k: v for k, v in after.items() if k != "usage"}}
    body = json.dumps(whole, indent=indent, ensure_ascii=indent is None).encode(errors="replace")
    shown = in_body(body, cost_splice.CHAT, COST, USED)
    at = shown.index(MEMBER)
    size = len(MEMBER) + bool(figures)
    assert shown[:at] + shown[at + size :] == body
    assert json.loads(shown, parse_float=Decimal)["usage"]["cost"] == Decimal(COST)


@given(
    frames=st.lists(FIELDS, max_size=5), place=st.sampled_from([one[0] for one in STREAMS.values()])
)
def test_frames_of_any_kind_gain_the_member_alone(frames, place):
    whole = [
        {place.inside: fields} if place.inside else fields
        for fields in ({**each, place.name: each} for each in frames)
    ]
    sent = b"".join(b"data: " + msgspec.json.encode(one) + b"\n\n" for one in whole)
    shown = in_frames(sent, place, COST, USED)
    assert shown == sent if not frames else without(shown) == sent
