"""Settings of Gemini requests, in both spellings."""

import pytest

from tollbridge.protocols.conversation import Conversation, Format, Thinking, Wire
from tollbridge.protocols.gemini_config_reader import read_config
from tollbridge.protocols.json_peek import FieldError


def config_of(**fields):
    into = Conversation(wire=Wire.GEMINI, model="m")
    read_config({"generationConfig": fields}, into)
    return into


def test_scalars():
    into = config_of(
        maxOutputTokens=5,
        temperature=0.5,
        top_p=1,
        topK=40.0,
        stop_sequences=["x"],
        seed=7,
        presencePenalty=0.1,
        frequencyPenalty=0.2,
        candidateCount=2,
        responseLogprobs=True,
        logprobs=3,
        responseModalities=["TEXT", "Image"],
        imageConfig={"aspect_ratio": "1:1"},
        speechConfig={"voiceConfig": {}},
    )
    assert (into.max_output, into.temperature, into.top_p, into.top_k) == (5, 0.5, 1, 40)
    assert (into.stop, into.seed, into.copies, into.logprobs) == (["x"], 7, 2, 3)
    assert (into.presence_penalty, into.frequency_penalty) == (0.1, 0.2)
    assert into.modalities == ["text", "image"]
    assert into.image_options == {"aspectRatio": "1:1"}
    assert into.extra == {"generationConfig": {"speechConfig": {"voiceConfig": {}}}}


def test_nothing_said():
    into = config_of()
    assert (into.copies, into.stop, into.thinking, into.format, into.extra) == (
        1,
        [],
        None,
        None,
        {},
    )
    assert config_of(responseMimeType="text/plain").extra == {}
    assert config_of(logprobs=2).extra == {"generationConfig": {"logprobs": 2}}
    assert config_of(responseLogprobs=True).logprobs == 0


@pytest.mark.parametrize(
    ("given", "thinking"),
    [
        ({"thinking_budget": 0}, Thinking(budget=0, enabled=False)),
        ({"thinkingBudget": -1, "includeThoughts": True}, Thinking(budget=-1, shown=True)),
        ({"thinkingLevel": "HIGH"}, Thinking(effort="high")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Thinking()),
        ({"new": 1}, Thinking(extra={"new": 1})),
    ],
)
def test_thinking(given, thinking):
    assert config_of(thinkingConfig=given).thinking == thinking


JSON = "application/json"
OWN = {"type": "OBJECT", "properties": {}}
PLAIN = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({"responseMimeType": JSON}, Format(kind="json")),
        ({"response_mime_type": JSON, "response_schema": OWN}, Format(kind="schema", schema=PLAIN)),
        ({"responseJsonSchema": PLAIN}, Format(kind="schema", schema=PLAIN)),
        ({"_responseJsonSchema": PLAIN}, Format(kind="schema", schema=PLAIN)),
        ({"responseMimeType": "text/x.enum", "responseSchema": OWN}, None),
    ],
)
def test_format(given, form):
    into = config_of(**given)
    assert into.format == form
    assert bool(into.extra) is (form is None)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"topP": "x"}, "generationConfig.topP"),
        ({"stopSequences": [1]}, "generationConfig.stopSequences"),
        (
            {"thinkingConfig": {"thinkingBudget": "x"}},
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"responseSchema": []}, "generationConfig.responseSchema"),
    ],
)
def test_malformed_settings_are_named(given, name):
    with pytest.raises(FieldError) as caught:
        config_of(**given)
    assert caught.value.name == name
