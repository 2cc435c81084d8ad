"""Answers look like Gemini's: parts, finish reasons, counts that stand beside one another."""

import json

import pytest
from google.genai.types import GenerateContentResponse

from tests.demo.talking import bare, limited, talk
from tollbridge.demo import fake_gemini
from tollbridge.demo.fake_script import BadAsk, ScriptedCall
from tollbridge.demo.fake_speech import IMAGE_TOKENS


def whole(choices=1, model="m", **script):
    found = json.loads(fake_gemini.unary(talk(model, **script), choices))
    GenerateContentResponse.model_validate(found)
    return found


def streamed(choices=1, **script):
    events = list(fake_gemini.stream(talk(**script), choices, array=False))
    found = bare(events, b"\r\n\r\n")
    for chunk in found:
        GenerateContentResponse.model_validate(chunk)
    return found


def parts_of(chunks):
    return [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]


def read(**fields):
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}]
    return fake_gemini.read_ask(json.dumps({"contents": contents, **fields}).encode())


def test_parts_and_signatures():
    calls = (ScriptedCall("a", {"b": 1}), ScriptedCall("c"))
    found = parts_of([whole(thought="Hm.", text="Well.", images=1, calls=calls)])
    assert found[0] == {"text": "Hm.", "thought": True}
    assert found[1] == {"text": "Well."}
    assert found[2]["inlineData"]["mimeType"] == "image/png"
    assert found[3]["functionCall"] == {"name": "a", "args": {"b": 1}}
    assert ["thoughtSignature" in part for part in found] == [False, False, False, True, False]
    (part,) = parts_of([whole(model="gemini-3-pro", calls=calls[:1])])
    assert part["functionCall"]["id"] and part["thoughtSignature"]
    assert parts_of([whole(reasoning=3, text="a")])[-1]["thoughtSignature"]


@pytest.mark.parametrize(
    "script",
    [
        {"text": "a b c"},
        {"thought": "One two.", "text": "a b"},
        {"calls": (ScriptedCall("a"), ScriptedCall("b", {"c": "d e"})), "text": "Well."},
        {"images": 1, "searches": 1, "reasoning": 4},
        {"stop": "length", "text": "a"},
    ],
)
def test_a_stream_says_what_the_whole_says(script):
    said = talk(**script)
    events = list(fake_gemini.stream(said, 1, array=False))
    found, expected = streamed(**script), whole(**script)
    texts = [
        ["".join(part["text"] for part in parts if "text" in part) for parts in both]
        for both in ([parts_of(found)], [parts_of([expected])])
    ]
    assert texts[0] == texts[1]
    calls = [
        [part for part in parts_of(one) if "functionCall" in part] for one in (found, [expected])
    ]
    assert calls[0] == calls[1]
    last = found[-1]
    assert last["usageMetadata"] == expected["usageMetadata"]
    assert last["candidates"][0]["finishReason"] == expected["candidates"][0]["finishReason"]
    assert all("finishReason" not in chunk["candidates"][0] for chunk in found[:-1])
    assert sum(event.tokens for event in events) == said.speech.counts.output


def test_an_array_is_json():
    events = list(fake_gemini.stream(talk(text="a b c"), 1, array=True))
    found = json.loads(b"".join(event.data for event in events))
    assert [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in found] == [
        "a",
        " b",
        " c",
    ]


def test_candidates():
    assert [one["index"] for one in whole(choices=2)["candidates"]] == [0, 1]
    found = streamed(choices=2, text="a b")
    assert [chunk["candidates"][0]["index"] for chunk in found] == [0, 1, 0, 1]
    assert ["finishReason" in chunk["candidates"][0] for chunk in found] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({}, "STOP"),
        ({"tool_calls": 1}, "STOP"),
        ({"stop": "length"}, "MAX_TOKENS"),
        ({"stop": "refusal"}, "SAFETY"),
        ({"stop": "fault"}, "MALFORMED_FUNCTION_CALL"),
        ({"finish": "RECITATION"}, "RECITATION"),
    ],
)
def test_finish_reasons(script, reason):
    assert whole(**script)["candidates"][0]["finishReason"] == reason
    assert streamed(**script)[-1]["candidates"][0]["finishReason"] == reason


def test_a_blocked_prompt_has_no_candidates():
    for found in (whole(stop="filter"), *streamed(stop="filter")):
        assert "candidates" not in found
        assert found["promptFeedback"]["blockReason"] == "SAFETY"


def test_usage():
    counts = {"prompt_tokens": 50, "cached_tokens": 20, "reasoning": 3, "tool_prompt_tokens": 6}
    found = whole(text="a b", images=1, **counts)["usageMetadata"]
    assert found == {
        "promptTokenCount": 50,
        "candidatesTokenCount": 2 + IMAGE_TOKENS,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 20,
        "toolUsePromptTokenCount": 6,
        "totalTokenCount": 50 + 6 + 3 + 2 + IMAGE_TOKENS,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": IMAGE_TOKENS}],
    }
    # The vendor says it, though its own SDK has no such field.
    told = json.loads(fake_gemini.unary(talk(tier="flex"), 1))
    assert told["usageMetadata"]["serviceTier"] == "flex"
    assert "usageMetadata" not in whole(usage="none")
    assert whole(usage="null")["usageMetadata"] is None
    assert whole(usage="nonsense")["usageMetadata"]["promptTokenCount"] < 0
    assert whole(usage="zero")["usageMetadata"]["totalTokenCount"] == 0
    assert "promptTokensDetails" not in whole(usage="no_details")["usageMetadata"]
    cumulated = [chunk["usageMetadata"]["totalTokenCount"] for chunk in streamed(text="a b c")]
    assert cumulated == [101, 102, 103]


def test_a_cut_call_is_not_made():
    found = json.loads(
        fake_gemini.unary(limited(2, calls=(ScriptedCall("a", {"b": 1, "c": 2}),)), 1)
    )
    assert parts_of([found]) == [{"text": ""}]


def test_broken_ends_and_silences():
    assert all("finishReason" not in one["candidates"][0] for one in streamed(no_finish=True))
    events = list(
        fake_gemini.stream(
            talk(text="a b", event_delay_ms=3, silent_after_finish_ms=50), 1, array=False
        )
    )
    assert [event.pause_ms for event in events] == [0, 53]
    pinged = list(fake_gemini.stream(talk(text="a b", pings=1), 1, array=False))
    assert [event.data[:1] for event in pinged] == [b"d", b":", b"d", b":"]


@pytest.mark.parametrize("snake", [False, True])
def test_wishes_in_both_spellings(snake):
    schema = {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}
    fields = {
        "tools": [
            {"functionDeclarations": [{"name": "a", "parameters": schema}]},
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a"]}},
        "generationConfig": {
            "maxOutputTokens": 9,
            "candidateCount": 2,
            "responseMimeType": "application/json",
            "responseSchema": schema,
            "responseModalities": ["IMAGE"],
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 8},
        },
    }
    text = json.dumps(fields)
    names = ("functionDeclarations", "toolConfig", "functionCallingConfig", "generationConfig")
    names += ("maxOutputTokens", "responseMimeType", "includeThoughts", "googleSearch")
    for name in names if snake else ():
        usual = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        text = text.replace(f'"{name}"', f'"{usual}"')
    wish = fake_gemini.wish_of(read(**json.loads(text)), "m")
    assert [(tool.name, tool.schema) for tool in wish.tools] == [("a", schema)]
    assert (wish.forced, wish.limit, wish.choices, wish.schema) == ("a", 9, 2, schema)
    assert wish.thinks and wish.shows and wish.image and wish.search_tool


def test_what_is_said_last():
    result = {"functionResponse": {"name": "a", "response": {}}}
    asked = read(contents=[{"role": "user", "parts": [result]}])
    assert fake_gemini.wish_of(asked, "m").answered
    off = read(generationConfig={"thinkingConfig": {"thinkingBudget": 0}})
    assert not fake_gemini.wish_of(off, "m").thinks
    assert fake_gemini.wish_of(read(), "m").asked == "Hi"


def test_counting_and_wrong_bodies():
    counted = json.loads(fake_gemini.count(read()))
    assert counted["totalTokens"] == counted["promptTokensDetails"][0]["tokenCount"] > 1
    with pytest.raises(BadAsk):
        fake_gemini.read_ask(b'{"generationConfig": {"maxOutputTokens": "x"}}')
