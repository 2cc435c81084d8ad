"""Settings of other protocols in Gemini's words, by what the model can be told."""

import pytest
from google.genai import types

from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import Conversation, Format, Thinking, Wire
from tollbridge.protocols.gemini_config_writer import ConfigWriter
from tollbridge.protocols.losses import Losses, Untranslatable

LEVELS = Abilities(thinks="level", efforts=("low", "medium", "high"), always_thinks=True)
BUDGETS = Abilities(thinks="token_budget", most_budget=24_576)
PRO = Abilities(
    thinks="token_budget", least_budget=128, most_budget=32_768, always_thinks=True
)  # fmt: skip
SILENT = Abilities()


def config_of(abilities=SILENT, losses=None, compatible=False, wire=Wire.CHAT, **fields):
    to = Addressee(model="gemini-x", abilities=abilities, max_output=1000, compatible=compatible)
    conversation = Conversation(wire=wire, model="m", **fields)
    made = ConfigWriter(conversation, to, losses or Losses()).config()
    types.GenerateContentConfig.model_validate(made)
    return made


def test_nothing_said_is_nothing_written():
    assert config_of() == {}
    assert config_of(modalities=["text"]) == {}


def test_scalars():
    assert config_of(
        max_output=5000,
        temperature=1.5,
        top_p=0.5,
        top_k=3,
        stop=["x"],
        seed=1,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        copies=3,
        logprobs=2,
        modalities=["text", "image"],
        image_options={"aspect_ratio": "1:1"},
        audio_options={"voice": "Kore", "format": "wav"},
    ) == {
        "maxOutputTokens": 1000,
        "temperature": 1.5,
        "topP": 0.5,
        "topK": 3,
        "stopSequences": ["x"],
        "seed": 1,
        "presencePenalty": 0.5,
        "frequencyPenalty": -0.5,
        "candidateCount": 3,
        "responseLogprobs": True,
        "logprobs": 2,
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "1:1"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    }


def test_what_the_model_does_not_take_is_noted():
    losses = Losses()
    assert config_of(temperature=5, losses=losses) == {"temperature": 2}
    unsampled = Abilities(sampling=False)
    assert config_of(unsampled, top_p=1, top_k=1, losses=losses) == {}
    assert losses.counts == {"temperature": 1, "top_p": 1, "top_k": 1}
    with pytest.raises(Untranslatable, match="image_config"):
        config_of(image_options={"quality": "high"})


SCHEMA = {"type": "object", "additionalProperties": False}


def test_format():
    assert config_of(format=Format(kind="json")) == {"responseMimeType": "application/json"}
    form = Format(kind="schema", name="n", schema=SCHEMA)
    assert config_of(format=form)["responseJsonSchema"] == SCHEMA
    made = config_of(format=form, compatible=True)
    assert "additionalProperties" not in made["responseSchema"]


@pytest.mark.parametrize(
    ("wish", "config", "lost"),
    [
        (Thinking(effort="low"), {"thinkingLevel": "LOW", "includeThoughts": True}, 0),
        (Thinking(effort="max"), {"thinkingLevel": "HIGH", "includeThoughts": True}, 1),
        (Thinking(effort="none"), {"thinkingLevel": "LOW"}, 1),
        (Thinking(enabled=False), {"thinkingLevel": "LOW"}, 1),
        (Thinking(budget=8192, shown=False), {"thinkingLevel": "MEDIUM"}, 0),
        (Thinking(enabled=True, adaptive=True), {"includeThoughts": True}, 0),
        (Thinking(budget=-1), {"includeThoughts": True}, 0),
    ],
)
def test_levels(wish, config, lost):
    losses = Losses()
    assert config_of(LEVELS, losses, thinking=wish).get("thinkingConfig", {}) == config
    assert losses.counts["effort"] == lost


@pytest.mark.parametrize(
    ("abilities", "wish", "budget", "lost"),
    [
        (BUDGETS, Thinking(effort="medium"), 8192, 0),
        (BUDGETS, Thinking(effort="max"), 24_576, 1),
        (BUDGETS, Thinking(effort="none"), 0, 0),
        (BUDGETS, Thinking(enabled=False), 0, 0),
        (BUDGETS, Thinking(adaptive=True), -1, 0),
        (PRO, Thinking(enabled=False), 128, 1),
        (PRO, Thinking(budget=5), 128, 1),
        (PRO, Thinking(budget=2000), 2000, 0),
    ],
)
def test_budgets(abilities, wish, budget, lost):
    losses = Losses()
    made = config_of(abilities, losses, thinking=wish)["thinkingConfig"]
    assert made["thinkingBudget"] == budget
    assert losses.counts["effort"] == lost


def test_a_model_that_does_not_think():
    losses = Losses()
    assert config_of(thinking=Thinking(effort="none"), losses=losses) == {}
    assert not losses.counts
    assert config_of(thinking=Thinking(effort="high"), losses=losses) == {}
    assert losses.counts == {"effort": 1}


@pytest.mark.parametrize(
    ("wire", "wish", "shown"),
    [
        (Wire.RESPONSES, Thinking(effort="high"), False),
        (Wire.RESPONSES, Thinking(effort="high", summary="auto"), True),
        (Wire.MESSAGES, Thinking(enabled=True), True),
        (Wire.MESSAGES, Thinking(enabled=True, shown=False), False),
        (Wire.CHAT, Thinking(effort="high"), True),
    ],
)
def test_thoughts_are_asked_for_where_the_client_expects_them(wire, wish, shown):
    made = config_of(LEVELS, wire=wire, thinking=wish).get("thinkingConfig", {})
    assert made.get("includeThoughts", False) is shown
