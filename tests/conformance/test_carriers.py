"""What a vendor wants back of its thoughts comes back to it, through a client of any other protocol.

The client keeps what it was told as its protocol has it, and sends it again with its next question.
"""

import json
import re

import pytest

from tests.conformance import asks, crossing, dialogues, judges, plainly
from tests.conformance.dialogues import PAIRS
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.translation import Translation, read_request

# Chat Completions of other vendors have several places for a carrier, and none is the protocol's.
SIGNED = tuple(pair for pair in PAIRS if pair[0] != "chat")
MODELS = {"responses": "gpt-5.4", "messages": "claude-sonnet-4-5", "gemini": "gemini-3-pro-preview"}
FIELDS = {
    "responses": r'"encrypted_content": "([^"]+)"',
    "messages": r'"(?:signature|data)": "([^"]+)"',
    "gemini": r'"thought_?[sS]ignature": "([^"]+)"',
}
# Signatures of pictures, and of what the vendor's own tools and editors of the context did, are
# lost with what they sign.
BEYOND = ("inline_data_out", "server:", "n>1")
OWN_PARTS = ('"toolCall"', '"type": "compaction"')


def carriers(wire, body):
    return re.findall(FIELDS[wire], json.dumps(body))


def next_question(client, answer):
    """Return the request of a client that sends an answer again and goes on."""
    hi, more = "Hi", "Go on."
    if client == "chat":
        said = {**answer["choices"][0]["message"], "role": "assistant"}
        users = [{"role": "user", "content": text} for text in (hi, more)]
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "done"}
            for call in said.get("tool_calls") or ()
        ]
        messages = [users[0], said, *results, users[1]]
        return {"model": "m", "messages": messages, "reasoning_effort": "medium"}
    if client == "responses":
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "done"}
            for item in answer["output"]
            if item["type"] == "function_call"
        ]
        users = [{"role": "user", "content": text} for text in (hi, more)]
        items = [users[0], *answer["output"], *results, users[1]]
        return {"model": "m", "input": items, "reasoning": {"effort": "medium"}}
    if client == "messages":
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}
            for block in answer["content"]
            if block["type"] == "tool_use"
        ]
        messages = [
            {"role": "user", "content": hi},
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": [*results, {"type": "text", "text": more}]},
        ]
        thinking = {"type": "enabled", "budget_tokens": 2_048}
        return {"model": "m", "max_tokens": 8_192, "messages": messages, "thinking": thinking}
    said = answer["candidates"][0]["content"]
    results = [
        {"functionResponse": {"name": part["functionCall"]["name"], "response": {"result": "done"}}}
        for part in said["parts"]
        if "functionCall" in part
    ]
    contents = [
        {"role": "user", "parts": [{"text": hi}]},
        said,
        {"role": "user", "parts": [*results, {"text": more}]},
    ]
    return {"contents": contents, "generationConfig": {"thinkingConfig": {"thinkingBudget": 2048}}}


def is_said(up, each):
    """Say whether a carrier counts here: Responses encrypt the same thoughts anew for each event."""
    return up != "responses" or each.get("type", "response.output_item.done").endswith("item.done")


def signed(corpus, up, *, streams):
    """Yield recordings whose carriers are of text, thoughts and calls, and these carriers."""
    for one in dialogues.answered(corpus):
        if one.wire != up or one.streamed is not streams:
            continue
        given = carriers(up, [each for each in one.objects if is_said(up, each)])
        if not given or any(name.startswith(BEYOND) for name in one.features):
            continue
        if not any(part in json.dumps(one.objects) for part in OWN_PARTS):
            yield one, given


def told(one, client):
    """Return the whole answer as a client of another protocol has it in the end."""
    if not one.streamed:
        return json.loads(crossing.whole(one, client, json.dumps(one.body).encode()).body)
    objects = judges.stream(client, crossing.streamed(one, client, one.pieces()).frames)
    if client != "gemini":
        return objects[0]
    parts = [part for each in objects for part in each["candidates"][0]["content"]["parts"]]
    return {"candidates": [{"content": {"role": "model", "parts": parts}}]}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("up", "client"), SIGNED)
def test_carriers_come_back_to_their_vendor(corpus, up, client, streams):
    wrong, seen = {}, 0
    for one, given in signed(corpus, up, streams=streams):
        asked = next_question(client, told(one, client))
        conversation = read_request(Wire(client), json.dumps(asked).encode(), model="m")
        to = Addressee(MODELS[up], abilities_of(crossing.PLATFORM[up], MODELS[up]), 64_000)
        body = json.loads(Translation(conversation, Wire(up), to).body)
        if carriers(up, body) != given:
            wrong[one.id] = (len(given), len(carriers(up, body)))
        want = plainly.said(up, one.objects, streamed=streams)
        assert all(json.dumps(name) in json.dumps(body) for name, _ in want.calls), one.id
        assert asks.broken_rules(up, body) == [], one.id
        seen += 1
    assert wrong == {}
    assert seen >= 10
