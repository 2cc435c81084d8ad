"""Compatible upstreams' answers, re-emitted by the book, are read by the official SDK."""

import json
import re

import pytest
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.protocols import recordings
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat_normal import (
    StreamNormaliser,
    finish_reason,
    normal_reply,
    repaired_usage,
)
from tollbridge.protocols.chat_stream import ChatTap

WHO = Identity(id="own", created_s=1_700_000_000, model="own-model")


def run(pieces, *, want_usage=True, identity=WHO, copies=1):
    tap = ChatTap(copies=copies, normaliser=StreamNormaliser(identity, want_usage=want_usage))
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown, shown + tap.finish_text()


def parsed(data):
    return [
        json.loads(piece[6:]) for piece in data.decode().split("\n\n") if piece[:7] == "data: {"
    ]


def event(*choices, **fields):
    return b"data: " + json.dumps({"choices": list(choices), **fields}).encode() + b"\n\n"


def delta(finish=None, **fields):
    return {"index": 0, "delta": fields, "finish_reason": finish}


def deltas(data):
    return [choice["delta"] for chunk in parsed(data) for choice in chunk["choices"]]


def accumulated(data):
    state = ChatCompletionStreamState()
    for chunk in parsed(data):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    return state.current_completion_snapshot


def test_identity_is_constant():
    data = run(
        [
            event(delta(content="a"), id="x", created=5),
            event(delta(content="b"), id="y"),
            b"data: [DONE]\n\n",
        ]
    )[2]
    heads = [(c["id"], c["created"], c["model"], c["object"]) for c in parsed(data)]
    assert heads == [("x", 5, "own-model", "chat.completion.chunk")] * 2
    assert data.endswith(b"data: [DONE]\n\n")
    renamed = Identity(id="i", created_s=1, model="mine", renamed=True)
    assert (
        parsed(run([event(delta(content="a"), model="up")], identity=renamed)[2])[0]["model"]
        == "mine"
    )


def test_role_and_name_come_once():
    piece = event(delta(content="a", role="assistant", name="n"))
    assert deltas(run([piece, piece])[2]) == [
        {"role": "assistant", "content": "a", "name": "n"},
        {"content": "a"},
    ]
    assert deltas(run([event(delta(content="a"))])[2]) == [{"role": "assistant", "content": "a"}]


def test_tool_calls_by_the_book():
    first = {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}
    again = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "index": 0,
    }
    other = {"index": 0, "id": "2", "function": {"name": "g", "arguments": {"a": 1}}}
    loose = {"function": {"arguments": " "}}
    nameless = {"index": 7, "function": {"name": "h", "arguments": None}}
    pieces = [event(delta(tool_calls=[call])) for call in (first, again, other, loose, nameless)]
    calls = [
        d["tool_calls"][0]
        for d in deltas(run([*pieces, event(delta(content="", tool_calls=[]))])[2])
        if "tool_calls" in d
    ]
    assert calls == [
        {"function": {"name": "f", "arguments": ""}, "index": 0, "id": "1", "type": "function"},
        {"function": {"arguments": "{}"}, "index": 0},
        {
            "function": {"name": "g", "arguments": '{"a":1}'},
            "index": 1,
            "id": "2",
            "type": "function",
        },
        {"function": {"arguments": " "}, "index": 1},
        {
            "function": {"name": "h", "arguments": ""},
            "index": 2,
            "id": "call_chatcmpl-own_2",
            "type": "function",
        },
    ]


def test_content_arrays_become_texts():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"},
        {"type": "reference", "ids": [1]},
    ]
    (told,) = deltas(run([event(delta(content=parts))])[2])
    others = [{"type": "reference", "ids": [1], "index": 0}]
    assert told == {
        "role": "assistant",
        "content": "yes",
        "reasoning_content": "hm",
        "content_parts": others,
    }


def test_lists_get_an_index():
    pieces = [event(delta(images=[{"u": 1}, {"u": 2}])), event(delta(images=[{"u": 3}]))]
    assert [i["index"] for d in deltas(run(pieces)[2]) for i in d["images"]] == [0, 1, 2]


def test_a_finish_comes_once_and_is_known():
    data = run(
        [
            event(delta(content="a")),
            event(delta("eos")),
            event(delta("stop")),
            event(delta("stop", content="b")),
        ]
    )[2]
    assert [c["choices"][0]["finish_reason"] for c in parsed(data)] == [None, "stop", None]
    assert [finish_reason(r) for r in ("length", "error", 1, "", None)] == [
        "length",
        "stop",
        "stop",
        None,
        None,
    ]


@pytest.mark.parametrize("want", [True, False])
def test_usage_is_a_chunk_of_its_own(want):
    usage = {"prompt_tokens": 687, "completion_tokens": 10, "total_tokens": 831}
    usage["completion_tokens_details"] = {"reasoning_tokens": 134}
    pieces = [
        b": note\n\n",
        event(delta(content="a"), usage=usage),
        event(delta("stop"), usage=usage),
        event(sla=1),
    ]
    tap, shown, data = run(pieces, want_usage=want)
    chunks = parsed(data)
    assert all("usage" not in chunk for chunk in chunks[:2])
    assert b": note" not in data
    assert len(chunks) == (3 if want else 2)
    assert tap.usage.output == 144
    assert len(parsed(shown)) == 1
    if want:
        assert chunks[2]["choices"] == []
        assert chunks[2]["sla"] == 1
        assert (chunks[2]["usage"]["completion_tokens"], chunks[2]["usage"]["total_tokens"]) == (
            144,
            831,
        )


def test_an_error_ends_without_the_end_mark():
    tap, _, data = run(
        [event(delta(content="a")), event(error={"message": "busy"}), b"data: [DONE]\n\n"]
    )
    assert tap.error.message == "busy"
    assert b"[DONE]" not in data and b"busy" not in data


def test_a_cut_stream_gets_no_end_mark():
    assert b"[DONE]" not in run([event(delta(content="a"))])[2]


def test_unknown_fields_survive():
    data = run(
        [
            event(
                {**delta(content="a", vendor=[1]), "seed": 1},
                provider="p",
                service_tier="on_demand",
            )
        ]
    )[2]
    (chunk,) = parsed(data)
    assert (chunk["provider"], chunk["vendor_service_tier"], chunk["choices"][0]["seed"]) == (
        "p",
        "on_demand",
        1,
    )
    assert chunk["choices"][0]["delta"]["vendor"] == [1]
    assert "service_tier" not in chunk


def test_usage_sums_hold_after_repair():
    odd = {
        "prompt_tokens": 347,
        "completion_tokens": 1,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 403},
    }
    fixed = repaired_usage({**odd, "cost": 0.5})
    assert fixed["prompt_tokens_details"]["cached_tokens"] == 347
    assert (fixed["total_tokens"], fixed["cost"]) == (348, 0.5)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error":{"message":"x"}}', b"<html>"])
def test_what_is_no_reply_passes(body):
    assert normal_reply(body, WHO) is body


def test_a_poor_reply_is_completed():
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    body = json.dumps(
        {
            "choices": [
                {"message": {"tool_calls": [call, {}]}},
                {"message": {"content": "x", "tool_calls": []}},
            ]
        }
    )
    reply = json.loads(normal_reply(body.encode(), WHO))
    ChatCompletion.model_validate({**reply, "choices": reply["choices"][1:]}, strict=True)
    first, second = reply["choices"]
    assert first["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert first["message"]["tool_calls"][0]["id"] == "call_chatcmpl-own_0"
    assert (second["index"], second["finish_reason"]) == (1, "stop")
    assert "tool_calls" not in second["message"]


def expected_text(recording):
    text, thought = "", ""
    for choice in [
        c for e in recording.events() for c in e.get("choices") or () if c["index"] == 0
    ]:
        given = (choice.get("delta") or {}).get("content")
        for part in given if isinstance(given, list) else [{"type": "text", "text": given or ""}]:
            text += part["text"] if part["type"] == "text" else ""
            thought += "".join(t["text"] for t in part.get("thinking", ()))
    return text, thought


def expected_calls(recording):
    calls = {}
    for choice in [
        c for e in recording.events() for c in e.get("choices") or () if c["index"] == 0
    ]:
        for entry in (choice.get("delta") or {}).get("tool_calls") or ():
            name, arguments = calls.get(entry.get("index", entry.get("id")), ("", ""))
            function = entry.get("function") or {}
            name = name or function.get("name") or ""
            calls[entry.get("index", entry.get("id"))] = (
                name,
                arguments + (function.get("arguments") or ""),
            )
    return list(calls.values())


def test_recorded_streams_are_read_by_the_sdk(corpus):
    ran = refused = 0
    for recording in recordings.load(corpus, "openai_chat"):
        if recording.sse is None or not recording.compatible:
            continue
        tap, shown, data = run(recording.chunks())
        if tap.error is None:
            assert data.endswith(b"data: [DONE]\n\n") == (tap.done or tap.finished), recording.file
        assert not re.search(rb'"finish_reason":"', shown), recording.file
        if tap.error is not None and not tap.content:
            assert b'"error"' in recording.sse and data == b"", recording.file
            refused += 1
            continue
        snapshot = accumulated(data)
        message = snapshot.choices[0].message
        text, thought = expected_text(recording)
        assert message.role == "assistant", recording.file
        assert (message.content or "") == text, recording.file
        if thought:
            assert message.reasoning_content == thought
        calls = [(call.function.name, call.function.arguments) for call in message.tool_calls or ()]
        assert calls == expected_calls(recording), recording.file
        assert (snapshot.usage is None) == (tap.usage is None)
        if snapshot.usage:
            sums_hold(snapshot.usage, recording)
        for size in (1, 7, 1000):
            pieces = [
                recording.sse[at : at + size]
                for at in range(0, min(len(recording.sse), 20_000), size)
            ]
            whole = run([recording.sse[:20_000]])
            assert run(pieces)[2] == whole[2], (recording.file, size)
        ran += 1
    print(f"normalised streams checked: {ran}, and {refused} that were an error alone")
    assert ran > 60


def test_recorded_replies_are_read_by_the_sdk(corpus):
    ran = 0
    for recording in recordings.load(corpus, "openai_chat"):
        if recording.sse is not None or not recording.compatible:
            continue
        given = recording.body
        told = json.loads(normal_reply(json.dumps(given).encode(), WHO))
        reply = ChatCompletion.model_validate(told, strict=True)
        for before, after in zip(given["choices"], reply.choices, strict=True):
            assert after.message.role == "assistant"
            content = before["message"].get("content")
            if not isinstance(content, list):
                assert after.message.content == content, recording.file
            for name in before["message"].keys() - {"content", "role", "tool_calls"}:
                assert told["choices"][after.index]["message"][name] == before["message"][name]
        assert given.keys() - {"service_tier"} <= told.keys()
        sums_hold(reply.usage, recording)
        ran += 1
    print(f"normalised replies checked: {ran}")
    assert ran > 60


def sums_hold(usage, recording):
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, recording.file
    assert usage.completion_tokens_details.reasoning_tokens <= usage.completion_tokens, (
        recording.file
    )
    assert usage.prompt_tokens_details.cached_tokens <= usage.prompt_tokens, recording.file
