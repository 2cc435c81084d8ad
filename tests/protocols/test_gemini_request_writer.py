"""Requests in Gemini's words: nothing of Gemini's own is lost, and others' requests are faithful."""

import json

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import Conversation, Function, Text, Turn, WebSearch, Wire
from tollbridge.protocols.gemini_request_reader import read_request
from tollbridge.protocols.gemini_request_writer import NAME_MAX, write_request
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

TO = Addressee(model="gemini-x", abilities=Abilities(), max_output=8_192)


def written(conversation, to=TO, losses=None):
    names = ToolNames(conversation, NAME_MAX)
    return write_request(conversation, to, names, losses or Losses())


def asked(wire=Wire.CHAT, **fields):
    turns = fields.pop("turns", [Turn(role="user", parts=[Text(text="hi")])])
    return Conversation(wire=wire, model="m", turns=turns, **fields)


def test_a_plain_request_has_only_contents():
    assert written(asked()) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_system_texts_and_one_clients_billing_block():
    texts = [
        Text(text="x-anthropic-billing-header: v=1"),
        Text(text="good", cache={}),
        Text(text=" "),
    ]
    losses = Losses()
    body = written(asked(Wire.MESSAGES, system=texts), losses=losses)
    assert body["systemInstruction"] == {"parts": [{"text": "good"}]}
    assert losses.counts == {"cache_hint": 1}


def test_instructions_alone_get_a_turn_of_the_user():
    body = written(asked(turns=[], system=[Text(text="x")]))
    assert body["contents"][0]["role"] == "user"


def test_what_is_advisory_is_noted_and_the_rest_refused():
    losses = Losses()
    extra = {"store": True, "metadata": {"a": 1}, "background": False, "truncation": "disabled"}
    written(asked(extra=extra, end_user="u", tier="flex"), losses=losses)
    assert losses.counts == {"store": 1, "metadata": 1, "end_user": 1, "tier": 1}
    with pytest.raises(Untranslatable) as caught:
        written(asked(Wire.RESPONSES, extra={"previous_response_id": "r"}))
    assert caught.value.name == "previous_response_id"


def test_the_tools_are_there():
    body = written(asked(tools=[Function(name="f", schema={"type": "object", "properties": {}})]))
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "f"


def test_gemini_3_is_told_of_a_search_beside_functions():
    level = Abilities(thinks="level", efforts=("low",))
    tools = [Function(name="f"), WebSearch(wire=Wire.CHAT, raw={})]
    told = Addressee(model="gemini-3", abilities=level, max_output=1)
    assert written(asked(tools=tools), told)["toolConfig"] == {
        "includeServerSideToolInvocations": True
    }
    almost = Addressee(model="gemini-3", abilities=level, max_output=1, compatible=True)
    assert "toolConfig" not in written(asked(tools=tools), almost)
    assert "toolConfig" not in written(asked(tools=tools))


# ------------------------------------------------------------ Gemini's own

TEXT = st.text(min_size=1, max_size=6)
SIGNATURE = st.none() | st.just("c2ln")
NUMBER = st.integers(0, 5)
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ARGS = st.dictionaries(TEXT, st.integers(0, 9) | TEXT, max_size=2)


def full(**fields):
    """Return objects with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


BLOB = st.fixed_dictionaries(
    {
        "mimeType": st.sampled_from(["image/png", "audio/wav", "video/mp4", "application/pdf"]),
        "data": st.just("AAAA"),
    },
    optional={"displayName": TEXT},
)
FILE = st.fixed_dictionaries(
    {"fileUri": st.sampled_from(["gs://b/x", "https://youtu.be/x", "https://x/y"])},
    optional={"mimeType": st.sampled_from(["image/png", "audio/wav", "video/mp4"])},
)
USER_PART = (
    st.fixed_dictionaries({"text": TEXT})
    | st.fixed_dictionaries(
        {"inlineData": BLOB}, optional={"mediaResolution": st.just({"level": "X"})}
    )
    | st.fixed_dictionaries({"fileData": FILE}, optional={"videoMetadata": st.just({"fps": 1})})
    | st.fixed_dictionaries(
        {
            "functionResponse": st.fixed_dictionaries(
                {"name": NAME, "response": ARGS},
                optional={
                    "id": TEXT,
                    "scheduling": st.just("SILENT"),
                    "parts": st.just([{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]),
                },
            )
        }
    )
)
MODEL_PART = (
    st.fixed_dictionaries({"text": TEXT}, optional={"thoughtSignature": st.just("c2ln")})
    | st.fixed_dictionaries(
        {"text": TEXT, "thought": st.just(True), "thoughtSignature": st.just("c2ln")}
    )
    | st.fixed_dictionaries(
        {
            "functionCall": st.fixed_dictionaries(
                {"name": NAME, "args": ARGS}, optional={"id": TEXT}
            )
        },
        optional={"thoughtSignature": st.just("c2ln")},
    )
    | st.fixed_dictionaries({"executableCode": st.just({"code": "1", "language": "PYTHON"})})
)
USER = st.fixed_dictionaries(
    {"role": st.just("user"), "parts": st.lists(USER_PART, min_size=1, max_size=3)}
)
MODEL = st.fixed_dictionaries(
    {"role": st.just("model"), "parts": st.lists(MODEL_PART, min_size=1, max_size=3)}
)
CONTENTS = st.lists(st.tuples(USER, MODEL), max_size=2).flatmap(
    lambda pairs: USER.map(lambda last: [one for pair in pairs for one in pair] + [last])
)
SCHEMA = st.just({"type": "object", "properties": {"a": {"type": "string"}}})
OWN_SCHEMA = st.just({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}})
FUNCTION = st.fixed_dictionaries(
    {"name": NAME},
    optional={
        "description": TEXT,
        "behavior": st.just("BLOCKING"),
    },
) | st.fixed_dictionaries({"name": NAME, "parameters": OWN_SCHEMA}) | st.fixed_dictionaries(
    {"name": NAME, "parametersJsonSchema": SCHEMA}
)  # fmt: skip
CONFIG = full(
    maxOutputTokens=st.integers(1, 10**6),
    temperature=st.floats(0, 5),
    topP=st.floats(0, 1),
    topK=st.integers(1, 100),
    stopSequences=st.lists(TEXT, min_size=1, max_size=2),
    seed=NUMBER,
    presencePenalty=st.floats(-2, 2),
    frequencyPenalty=st.floats(-2, 2),
    candidateCount=st.integers(2, 8),
    responseModalities=st.just(["TEXT", "IMAGE"]),
    imageConfig=st.just({"aspectRatio": "1:1", "newOption": 1}),
    speechConfig=st.just({"languageCode": "de-DE"}),
    thinkingConfig=full(
        thinkingBudget=st.integers(-1, 9),
        thinkingLevel=st.just("HIGH"),
        includeThoughts=st.booleans(),
    ),
    mediaResolution=st.just("MEDIA_RESOLUTION_LOW"),
)
CALLING = st.sampled_from(
    [
        {"mode": "AUTO"},
        {"mode": "NONE"},
        {"mode": "ANY"},
        {"mode": "ANY", "allowedFunctionNames": ["f"]},
        {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
        {"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]},
        {"mode": "VALIDATED"},
        {"mode": "AUTO", "streamFunctionCallArguments": True},
    ]
)
BODY = st.fixed_dictionaries(
    {"contents": CONTENTS},
    optional={
        "systemInstruction": st.just({"parts": [{"text": "good"}]}),
        "tools": st.lists(FUNCTION, min_size=1, max_size=2, unique_by=lambda f: f["name"]).map(
            lambda functions: [
                {"functionDeclarations": functions},
                {"googleSearch": {"excludeDomains": ["x"]}},
                {"urlContext": {}},
            ]
        ),
        "toolConfig": st.fixed_dictionaries(
            {"functionCallingConfig": CALLING},
            optional={"retrievalConfig": st.just({"languageCode": "de"})},
        ),
        "generationConfig": CONFIG,
        "safetySettings": st.just([{"category": "C", "threshold": "OFF"}]),
        "cachedContent": st.just("cachedContents/x"),
        "serviceTier": st.just("flex"),
        "labels": st.just({"a": "b"}),
    },
)


@given(BODY)
def test_a_request_of_geminis_own_loses_nothing(body):
    config = body.get("generationConfig")
    if config is not None and not config:
        del body["generationConfig"]
    elif config and config.get("thinkingConfig") == {}:
        del config["thinkingConfig"]
    conversation = read_request(body, model="m", stream=False)
    again = written(conversation)
    if config == {}:
        again.pop("generationConfig", None)
    assert {name: value for name, value in again.items() if value} == {
        name: value for name, value in body.items() if value
    }


def test_recorded_requests_read_and_written_are_read_the_same(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        body = recording.request
        if not isinstance(body, dict) or "contents" not in body:
            continue
        seen += 1
        once = read_request(body, model="m", stream=False)
        made = json.loads(json.dumps(written(once)))
        assert read_request(made, model="m", stream=False) == once, recording.file
        for content in made["contents"]:
            types.Content.model_validate(content)
    assert seen > 200
