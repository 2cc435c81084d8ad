"""The official SDK's realtime client against a real gateway, as its users write it."""

import asyncio

import openai
import pytest

from tests.services.gateway import KEY
from tests.services.realtime import MODEL, buckets, price_of, talking


@pytest.fixture
async def stage(tmp_path):
    async with talking(tmp_path) as both:
        yield both


async def test_the_sdk_holds_a_conversation(stage):
    gateway, fake = stage
    fake.roles = ["transcribed", "whole"]
    client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)
    async with client, client.realtime.connect(model=MODEL) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(session={"type": "realtime", "instructions": "be kind"})
        await connection.recv()
        done = []
        for _ in range(2):
            await connection.conversation.item.create(
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hello"}],
                }
            )
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    done.append(event.response.usage.total_tokens)
                    break
        assert len(done) == 2 and all(done)
    await asyncio.to_thread(gateway.wait_settled)
    [row] = gateway.rows("SELECT charge, end_state, client FROM usage")
    assert row["charge"] == price_of(buckets(2, 1)) and row["end_state"] == "complete"
    assert [event["type"] for event in fake.heard] == [
        "session.update",
        *["conversation.item.create", "response.create"] * 2,
        # Ours, when the client had left: it makes sure that nothing is still running.
        "response.cancel",
    ]


async def test_the_sdk_hears_of_a_refusal(stage):
    gateway, _fake = stage
    client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)
    with pytest.raises(Exception, match="404"):
        async with client, client.realtime.connect(model="gpt-none"):
            pass
