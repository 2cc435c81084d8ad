"""Proof that every surface is served by every platform, from the request to the books."""

import msgspec
import pytest

from tests.relay.calls import INPUT_NANO, OUTPUT_NANO, chat
from tests.relay.floor import open_floor
from tollbridge.protocols.sse import Framer, data_of, event_of

TEXT = "one two three four five six seven"
FAKE = {"prompt_tokens": 11, "text": TEXT}
COST = 11 * INPUT_NANO + 7 * OUTPUT_NANO
SAID = [{"role": "user", "content": "hello"}]
GEMINI = "/v1beta/models/gpt-test:"
ASKS = {
    "chat": ("/v1/chat/completions", chat()),
    "responses": ("/v1/responses", {"model": "gpt-test", "input": "hello"}),
    "messages": ("/v1/messages", {"model": "gpt-test", "max_tokens": 99, "messages": SAID}),
    "gemini": ("", {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
}
PLATFORMS = {
    "openai": {},
    "compatible": {"compatible": True},
    "anthropic": {"platform": "anthropic"},
    "gemini": {"platform": "gemini"},
}
# How a stream of each surface ends, and what a broken one ends with.
ENDS = {
    "chat": lambda frames: data_of(frames[-1]) == b"[DONE]",
    "responses": lambda frames: event_of(frames[-1]) == b"response.completed",
    "messages": lambda frames: event_of(frames[-1]) == b"message_stop",
    "gemini": lambda frames: b'"finishReason":"STOP"' in frames[-1].replace(b": ", b":"),
}


@pytest.fixture
async def floor():
    async with open_floor() as floor:
        yield floor


def asked(surface, *, stream=False, **fields):
    """Return the keyword arguments of a call."""
    path, body = ASKS[surface]
    if surface == "gemini":
        path = GEMINI + ("streamGenerateContent" if stream else "generateContent")
        return {"path": path, "body": {**body, **fields}, "query": b"alt=sse"}
    return {"path": path, "body": {**body, **fields, **({"stream": True} if stream else {})}}


def use(floor, platform, *, count=1, **script):
    floor.world.snapshot = floor.catalogue(count, **PLATFORMS[platform])
    for number in range(1, count + 1):
        floor.script(number, **{**FAKE, **script})


def text_of(surface, answer):
    """Return the text of a whole answer."""
    if surface == "chat":
        return answer["choices"][0]["message"]["content"]
    if surface == "responses":
        return answer["output"][-1]["content"][0]["text"]
    if surface == "messages":
        return answer["content"][0]["text"]
    return answer["candidates"][0]["content"]["parts"][0]["text"]


def texts_in(surface, chunks):
    """Return the text of a stream's chunks."""
    out = ""
    for chunk in chunks:
        if surface == "chat":
            out += "".join(one["delta"].get("content") or "" for one in chunk["choices"])
        elif surface == "responses":
            out += chunk["delta"] if chunk["type"] == "response.output_text.delta" else ""
        elif surface == "messages":
            out += chunk.get("delta", {}).get("text", "")
        else:
            for one in chunk.get("candidates", []):
                out += "".join(
                    part.get("text", "") for part in one.get("content", {}).get("parts", [])
                )
    return out


def chunks_of(sent):
    datas = [data_of(frame) for frame in Framer().feed(sent)]
    return [msgspec.json.decode(data) for data in datas if data and data != b"[DONE]"]


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_a_whole_answer_comes_back_and_is_charged_once(floor, surface, platform):
    use(floor, platform)
    client = await floor.answered(**asked(surface))
    assert (client.status, client.events) == (200, ["reply"])
    assert client.header(b"content-type").startswith(b"application/json")
    assert text_of(surface, client.json()) == TEXT
    row = floor.row
    assert (row["end_state"], row["surface"], row["charge"]) == ("complete", surface, COST)


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_a_stream_comes_back_ends_by_its_grammar_and_is_charged_once(
    floor, surface, platform
):
    use(floor, platform)
    client = await floor.answered(**asked(surface, stream=True))
    assert client.header(b"content-type") == b"text/event-stream; charset=utf-8"
    frames = Framer().feed(client.sent)
    assert b"".join(frames) == client.sent
    assert ENDS[surface](frames), frames[-1]
    assert texts_in(surface, chunks_of(client.sent)) == TEXT
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_a_stream_that_is_cut_never_ends_like_a_whole_one(floor, surface, platform):
    use(floor, platform, cut_after=6)
    client = await floor.answered(**asked(surface, stream=True))
    frames = Framer().feed(client.sent)
    assert client.events[-1] == "finish"
    assert not ENDS[surface](frames)
    assert b"[DONE]" not in client.sent and b"message_stop" not in client.sent
    last = chunks_of(client.sent)[-1]
    error = last["response"]["error"] if surface == "responses" else last["error"]
    assert error["message"]
    assert texts_in(surface, chunks_of(client.sent)).startswith("one")
    assert floor.row["end_state"] == "partial"
    assert floor.row["charge"] > 0


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
async def test_a_broken_responses_stream_counts_on_and_keeps_its_id(floor, platform):
    use(floor, platform, cut_after=6)
    client = await floor.answered(**asked("responses", stream=True))
    *before, last = chunks_of(client.sent)
    assert last["type"] == "response.failed"
    assert [one["sequence_number"] for one in before] == list(range(len(before)))
    assert last["sequence_number"] == len(before)
    assert last["response"]["id"] == before[0]["response"]["id"]


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_an_account_that_breaks_before_content_is_followed_by_another(
    floor, surface, platform
):
    use(floor, platform, count=2)
    floor.script(1, status=500)
    client = await floor.answered(**asked(surface, stream=True))
    assert ENDS[surface](Framer().feed(client.sent))
    assert floor.row["account_id"] == 2
    assert [call.secret for call in floor.vendor.books.calls] == ["secret-1", "secret-2"]


async def test_gemini_without_alt_sse_is_one_json_array(floor):
    for platform in PLATFORMS:
        use(floor, platform)
        client = await floor.answered(**{**asked("gemini", stream=True), "query": b"key=x"})
        assert client.header(b"content-type") == b"application/json"
        assert client.events[0] == "start" and client.events[-1] == "finish"
        chunks = msgspec.json.decode(client.sent)
        assert texts_in("gemini", chunks) == TEXT
        assert chunks[-1]["usageMetadata"]["promptTokenCount"] == 11
    assert len(floor.writer.rows) == len(PLATFORMS)


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
async def test_a_gemini_array_that_is_cut_is_still_json_and_ends_with_the_error(floor, platform):
    use(floor, platform, cut_after=6)
    client = await floor.answered(**{**asked("gemini", stream=True), "query": b""})
    *before, last = msgspec.json.decode(client.sent)
    assert texts_in("gemini", before).startswith("one")
    assert (last["error"]["status"], last["error"]["code"] >= 500) == ("UNAVAILABLE", True)
    assert not any("finishReason" in one for chunk in before for one in chunk["candidates"])


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
@pytest.mark.parametrize("stream", [False, True])
async def test_an_effort_of_the_name_is_sent_as_such_and_the_answer_bears_the_name(
    floor, platform, stream
):
    use(floor, platform)
    client = await floor.answered(**asked("chat", stream=stream, model="gpt-test-high"))
    (call,) = floor.vendor.books.calls
    assert b"gpt-test-high" not in call.body and "gpt-test-high" not in call.path
    assert "gpt-test" in call.path + call.body.decode()
    chunks = chunks_of(client.sent) if stream else [client.json()]
    assert {chunk["model"] for chunk in chunks} == {"gpt-test-high"}
    if platform in {"openai", "compatible"}:
        assert msgspec.json.decode(call.body)["reasoning_effort"] == "high"
    # Where the pretend vendor is told to think, it also bills thoughts.
    names = (floor.row["model_asked"], floor.row["model_sent"])
    assert (names, floor.row["charge"] >= COST) == (("gpt-test-high", "gpt-test"), True)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_vendor_cannot_be_told_is_a_400_that_names_it_and_costs_nothing(
    floor, stream
):
    for surface, platform, fields, name in (
        ("chat", "anthropic", {"n": 2}, "n"),
        ("chat", "gemini", {"future_field": {"a": 1}}, "future_field"),
        ("messages", "gemini", {"container": "c1"}, "container"),
    ):
        floor.writer.rows.clear()
        use(floor, platform)
        client = await floor.answered(**asked(surface, stream=stream, **fields))
        assert (client.status, client.events) == (400, ["reply"])
        error = client.json()["error"]
        assert f"'{name}" in error["message"], client.sent
        if surface == "chat":
            assert (error["param"], error["code"]) == (name, "unsupported_value")
        assert (floor.row["end_state"], floor.row["charge"]) == ("refused", 0)
    assert not floor.vendor.books.calls


async def test_a_content_without_a_role_is_refused_in_googles_grammar(floor):
    use(floor, "gemini")
    ask = asked("gemini", contents=[{"parts": [{"text": "a"}]}])
    client = await floor.answered(**ask)
    error = client.json()["error"]
    assert (client.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["message"].startswith(
        "Request contains an invalid argument: contents[0].role must be"
    )
    assert not floor.writer.seen


@pytest.mark.parametrize("surface", sorted(ASKS))
async def test_what_an_account_refuses_is_told_in_the_surfaces_own_grammar(floor, surface):
    for platform in PLATFORMS:
        use(floor, platform)
        floor.script(1, status=400)
        client = await floor.answered(**asked(surface, stream=True))
        error = client.json()["error"]
        assert client.status == 400 and error["message"]
        kind = {"messages": "type", "gemini": "status"}.get(surface, "code")
        assert isinstance(error[kind], str)
    assert all(row["charge"] == 0 for row in floor.writer.rows)
