"""Proof that who asks for the cost of a call is told it, in every protocol, and nobody else is."""

import json
from decimal import Decimal

import msgspec
import pytest

from tests.protocols.recordings import load
from tests.relay.calls import chat, model
from tests.relay.floor import open_floor
from tests.relay.media import media_catalogue, opened
from tests.relay.test_surfaces import ASKS, COST, PLATFORMS, asked, chunks_of, use
from tollbridge.core.money import format_usd
from tollbridge.demo.fake_reply import recording
from tollbridge.protocols.sse import Framer

WISH = {"usage": {"include": True}}
TOLD = Decimal(format_usd(COST))
NAMES = {"gemini": "usageMetadata"}
RECORDED = {
    "chat": ("openai_chat", "openai"),
    "responses": ("openai_responses", "openai"),
    "messages": ("anthropic", "anthropic"),
    "gemini": ("gemini", "gemini"),
}
EVERY = [
    pytest.param(surface, platform, id=f"{surface} to {platform}")
    for surface in sorted(ASKS)
    for platform in sorted(PLATFORMS)
]


@pytest.fixture
async def floor():
    async with open_floor() as floor:
        yield floor


def exactly(body):
    return json.loads(body, parse_float=Decimal)


def figures(surface, shown):
    """Return the usage that an answer, or the last chunk that has any, tells."""
    inner = shown.get("response") or shown if surface == "responses" else shown
    return inner.get(NAMES.get(surface, "usage"))


@pytest.mark.parametrize(("surface", "platform"), EVERY)
async def test_a_whole_answer_tells_what_was_charged(floor, surface, platform):
    use(floor, platform)
    client = await floor.answered(**asked(surface, **WISH))
    assert client.status == 200
    told = figures(surface, exactly(client.sent))
    assert told["cost"] == TOLD == Decimal(client.header(b"x-tollbridge-cost").decode())
    assert len(told) > 1
    assert floor.row["charge"] == COST
    (call,) = floor.vendor.books.calls
    assert "usage" not in msgspec.json.decode(call.body)


@pytest.mark.parametrize(("surface", "platform"), EVERY)
async def test_a_stream_tells_what_was_charged_once_at_its_end(floor, surface, platform):
    use(floor, platform)
    client = await floor.answered(**asked(surface, stream=True, **WISH))
    datas = [frame for frame in Framer().feed(client.sent) if b'"cost"' in frame]
    (frame,) = datas
    told = figures(surface, exactly(frame[frame.index(b"{") :]))
    assert told["cost"] == TOLD
    assert floor.row["charge"] == COST
    (call,) = floor.vendor.books.calls
    assert "usage" not in msgspec.json.decode(call.body)


@pytest.mark.parametrize(("surface", "platform"), EVERY)
@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_is_told_who_does_not_ask(floor, surface, platform, stream):
    for wish in ({}, {"usage": {"include": False}}, {"usage": None}):
        use(floor, platform)
        client = await floor.answered(**asked(surface, stream=stream, **wish))
        assert client.status == 200
        assert b"cost" not in client.sent
        assert "usage" not in msgspec.json.decode(floor.vendor.books.calls[-1].body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_without_the_member_the_answer_is_the_vendors(floor, corpus, surface, stream):
    folder, platform = RECORDED[surface]
    wish = {**WISH, "stream_options": {"include_usage": True}} if surface == "chat" else WISH
    use(floor, platform, replay="recorded")
    played = 0
    for one in load(corpus, folder):
        sent = (one.sse if stream else json.dumps(one.body, indent=1).encode()) or b""
        name = b'"%b": {' % NAMES.get(surface, "usage").encode()
        if (
            (one.compatible and surface == "chat")
            or (one.sse is None) is stream
            or b'"cost"' in sent
        ):
            continue
        if played == 12 or name.replace(b" ", b"") not in sent.replace(b" ", b""):
            continue
        kind = {"content-type": "text/event-stream" if stream else "application/json"}
        floor.vendor.books.recordings["recorded"] = recording(200, kind, [sent])
        client = await floor.answered(**asked(surface, stream=stream, **wish))
        if client.status != 200:
            continue
        member = b'"cost":%b,' % format_usd(floor.writer.rows[-1]["charge"]).encode()
        assert client.sent.count(member) == 1, one.file
        assert client.sent.replace(member, b"") == sent, one.file
        played += 1
    assert played == 12


async def test_the_wish_alone_leaves_the_request(floor):
    body = b'{ "model":"gpt-test",\n "usage" : {"include":true} , "messages":[{"role":"user","content":"hi"}]}'
    client = await floor.answered(body)
    assert client.status == 200
    sent = b'{ "model":"gpt-test" , "messages":[{"role":"user","content":"hi"}]}'
    assert floor.vendor.books.calls[0].body == sent


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
async def test_a_chat_stream_with_its_cost_has_a_frame_of_usage(floor, platform, options):
    use(floor, platform)
    client = await floor.answered(chat(stream=True, **options, **WISH))
    last = chunks_of(client.sent)[-1]
    assert last["usage"]["completion_tokens"] == 7
    assert "cost" in last["usage"]


async def test_a_text_completion_tells_it_too(floor):
    fake = {"prompt_tokens": 11, "tokens": 7}
    for stream in (False, True):
        body = {"model": "gpt-test", "prompt": "hello", "fake": fake, "stream": stream, **WISH}
        client = await floor.answered(body, path="/v1/completions")
        shown = chunks_of(client.sent)[-1] if stream else client.json()
        assert Decimal(str(shown["usage"]["cost"])) == TOLD


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_upstream_says_nothing_the_estimate_is_told(floor, stream):
    use(floor, "openai", usage="none")
    client = await floor.answered(chat(stream=stream, **WISH))
    told = figures("chat", chunks_of(client.sent)[-1] if stream else client.json())
    row = floor.row
    assert "estimated" in row["flags"]
    assert (told["prompt_tokens"], told["completion_tokens"]) == (row["input"], row["output"])
    assert Decimal(str(told["cost"])) == Decimal(format_usd(row["charge"]))


async def test_a_gemini_array_tells_it_in_its_last_element(floor):
    use(floor, "gemini")
    client = await floor.answered(**{**asked("gemini", stream=True, **WISH), "query": b""})
    *before, last = exactly(client.sent)
    assert last["usageMetadata"]["cost"] == TOLD
    assert not any("cost" in (one.get("usageMetadata") or {}) for one in before)


@pytest.mark.parametrize("surface", sorted(ASKS))
@pytest.mark.parametrize(
    ("wish", "name"),
    [(True, "usage"), ("yes", "usage"), ({"include": 1}, "usage.include")],
)
async def test_a_wish_that_cannot_be_read_is_refused_by_name(floor, surface, wish, name):
    use(floor, "openai")
    client = await floor.answered(**asked(surface, usage=wish))
    assert client.status == 400
    assert f"'{name}'" in client.json()["error"]["message"]
    assert (floor.writer.rows, list(floor.vendor.books.calls)) == ([], [])


@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_a_broken_stream_tells_no_cost(floor, surface):
    use(floor, "openai", cut_after=6)
    client = await floor.answered(**asked(surface, stream=True, **WISH))
    assert b'"cost"' not in client.sent
    assert floor.row["charge"] > 0


@pytest.mark.parametrize("platform", ["openai", "gemini"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "embed", "input": ["one", "two"]}),
        ("/v1beta/models/embed:embedContent", {"content": {"parts": [{"text": "one"}]}}),
    ],
)
async def test_vectors_tell_it_too(platform, path, body):
    async with opened() as floor:
        floor.world.snapshot = media_catalogue(floor, platform=platform)
        client = await floor.answered({**body, **WISH}, path=path)
        assert client.status == 200
        (row,) = floor.writer.rows
        told = figures("gemini" if "beta" in path else "chat", exactly(client.sent))
        assert told["cost"] == Decimal(format_usd(row["charge"]))
        assert "usage" not in msgspec.json.decode(floor.vendor.books.calls[0].body)


@pytest.mark.parametrize("surface", ["chat", "messages"])
async def test_a_stream_that_ends_for_want_of_money_tells_its_cost(surface):
    settings = {"money": 10_000, "slice_tokens": 16, "hold_floor_tokens": 16}
    own = PLATFORMS["openai" if surface == "chat" else "anthropic"]
    async with open_floor(**settings) as floor:
        floor.world.snapshot = floor.catalogue(1, models=(model(max_output=40_000),), **own)
        floor.script(1, text="word " * 3_000)
        long = {"max_tokens": 30_000}
        client = await floor.answered(**asked(surface, stream=True, **long, **WISH))
        row = floor.row
        assert row["end_state"] == "limited"
        (frame,) = [one for one in Framer().feed(client.sent) if b'"cost"' in one]
        told = figures(surface, exactly(frame[frame.index(b"{") :]))
        assert told["cost"] == Decimal(format_usd(row["charge"])) > 0
