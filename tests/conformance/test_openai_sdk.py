"""The official OpenAI SDK against a real gateway: what the vendor sent arrives, strictly validated.

The SDK validates every answer strictly here (see the `client` fixture), except where a test says so.
"""

import json

import pytest
from openai import NotFoundError
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.conformance import oracle
from tests.conformance.till import (
    ASK,
    MODELS,
    MULTIPLIERS,
    NATIVE,
    PRICES,
    TEXT,
    TOKENS,
    fake,
    make,
    make_async,
)

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
            "additionalProperties": False,
        },
    },
}


def check_usage(usage, choices=1):
    made = (TOKENS + 5) * choices
    assert (usage.prompt_tokens, usage.completion_tokens) == (321, made)
    assert usage.total_tokens == 321 + made
    assert usage.prompt_tokens_details.cached_tokens == 100
    assert usage.completion_tokens_details.reasoning_tokens == 5 * choices


def check_charge(till, key, tid, choices=1):
    counts = {"input": 221, "cache_read": 100, "output": (TOKENS + 5) * choices}
    receipt = till.receipt(key, tid)
    assert {k: v for k, v in receipt["counts"].items() if k != "reasoning"} == counts
    nano = oracle.charge(counts, PRICES, *MULTIPLIERS[key])
    assert receipt["charge"] == f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0")
    return receipt["charge"]


def test_answer(till, key, client):
    raw = client.chat.completions.with_raw_response.create(**ASK, **fake())
    completion = raw.parse()
    assert isinstance(completion, ChatCompletion)
    assert completion.choices[0].message.content == TEXT
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-test"
    check_usage(completion.usage)
    assert completion._request_id == raw.request_id
    cost = check_charge(till, key, raw.request_id)
    assert raw.headers["x-tollbridge-cost"] == cost
    assert "x-ratelimit-limit-requests" not in raw.headers


def test_several_choices(till, key, client):
    raw = client.chat.completions.with_raw_response.create(**ASK, n=2, **fake())
    completion = raw.parse()
    assert [choice.index for choice in completion.choices] == [0, 1]
    assert {choice.message.content for choice in completion.choices} == {TEXT}
    check_usage(completion.usage, choices=2)
    check_charge(till, key, raw.request_id, choices=2)


@pytest.mark.parametrize("choices", [1, 2])
def test_stream(till, key, client, choices):
    raw = client.chat.completions.with_raw_response.create(
        **ASK, n=choices, stream=True, stream_options={"include_usage": True}, **fake()
    )
    with raw.parse() as stream:
        chunks = list(stream)
    texts = dict.fromkeys(range(choices), "")
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert set(texts.values()) == {TEXT}
    assert chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    check_usage(chunks[-1].usage, choices)
    check_charge(till, key, raw.request_id, choices)


def test_stream_without_usage(till, key, client):
    raw = client.chat.completions.with_raw_response.create(**ASK, stream=True, **fake())
    with raw.parse() as stream:
        chunks = list(stream)
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    check_charge(till, key, raw.request_id)


def test_stream_helper(client):
    with client.chat.completions.stream(
        **ASK, stream_options={"include_usage": True}, **fake()
    ) as stream:
        events = list(stream)
        completion = stream.get_final_completion()
    deltas = [event.delta for event in events if event.type == "content.delta"]
    assert "".join(deltas) == TEXT
    assert [event.content for event in events if event.type == "content.done"] == [TEXT]
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content == TEXT
    check_usage(completion.usage)


def test_streaming_response(till, client):
    with client.chat.completions.with_streaming_response.create(
        **ASK, stream=True, **fake()
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    said = [json.loads(line[6:])["choices"][0]["delta"].get("content") for line in lines[:-1]]
    assert "".join(text or "" for text in said) == TEXT
    with client.chat.completions.with_streaming_response.create(**ASK, **fake()) as response:
        assert response.parse().choices[0].message.content == TEXT


def test_tools(client):
    arguments = '{"word": "toll bridge"}'
    asked = {**ASK, "tools": [TOOL], "tool_choice": "required"}
    completion = client.chat.completions.create(**asked, **fake(text=arguments, tool_calls=1))
    (call,) = completion.choices[0].message.tool_calls
    assert completion.choices[0].finish_reason == "tool_calls"
    assert (call.id, call.function.name) == ("call_fake0", "look_up")
    assert call.function.arguments == arguments
    with client.chat.completions.stream(**asked, **fake(text=arguments, tool_calls=1)) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
    assert [(event.name, event.arguments) for event in done] == [("look_up", arguments)]
    (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert call.function.parsed_arguments == {"word": "toll bridge"}


def test_parsed_answer(client):
    class Answer(BaseModel):
        word: str

    parsed = client.chat.completions.parse(
        **ASK, response_format=Answer, **fake(text='{"word": "toll"}')
    )
    assert parsed.choices[0].message.parsed == Answer(word="toll")


def test_a_compatible_vendor_that_repeats_itself_is_put_right(till):
    """What breaks the SDK's accumulator when it comes straight from such a vendor."""
    key = next(key for key in MULTIPLIERS if key != NATIVE)
    for secret, role in ((NATIVE, "assistant" * (TOKENS + 2)), (key, "assistant")):
        with (
            make(till, secret) as client,
            client.chat.completions.stream(**ASK, **fake(role_in_every_delta=True)) as stream,
        ):
            message = stream.get_final_completion().choices[0].message
        assert (message.role, message.content) == (role, TEXT)


async def test_async_client(till, key):
    async with make_async(till, key) as client:
        completion = await client.chat.completions.create(**ASK, **fake())
        assert completion.choices[0].message.content == TEXT
        check_usage(completion.usage)
        stream = await client.chat.completions.create(
            **ASK, stream=True, stream_options={"include_usage": True}, **fake()
        )
        async with stream:
            chunks = [chunk async for chunk in stream]
        said = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(said) == TEXT
        check_usage(chunks[-1].usage)
        async with client.chat.completions.stream(**ASK, **fake()) as helper:
            completion = await helper.get_final_completion()
        assert completion.choices[0].message.content == TEXT
        assert [model.id async for model in client.models.list()] == [MODELS[0], MODELS[2]]
        with pytest.raises(NotFoundError):
            await client.chat.completions.create(**{**ASK, "model": "gpt-tset"})


def test_models(client):
    listed = client.models.list().data
    assert [model.id for model in listed] == [MODELS[0], MODELS[2]]
    for one in listed:
        assert client.models.retrieve(one.id) == one
        assert client.chat.completions.create(**{**ASK, "model": one.id}).model == one.id
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve("gpt-tset")
    assert caught.value.code == "model_not_found"
