"""What the gate reads of a Gemini request, how it is bounded, and what the meter reads of a reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.gemini import GeminiAsk, RoleMissing, prepare, read_ask, read_reply
from tollbridge.protocols.json_peek import FieldError, RangeError, peek

HELLO = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def ask_of(body, **path):
    top = peek(body if isinstance(body, bytes) else json.dumps(body).encode())
    return read_ask(top, **({"model": "gemini-x", "stream": False} | path))


def test_a_plain_request():
    assert ask_of(HELLO, stream=True) == GeminiAsk(
        model="gemini-x",
        stream=True,
        limit=None,
        copies=1,
        modalities=(),
        has_tools=False,
        web_search=False,
        code_execution=False,
        thinking_budget=None,
        thinking_level=None,
    )


CAMEL = {
    "generationConfig": {
        "maxOutputTokens": 9,
        "candidateCount": 2,
        "responseModalities": ["TEXT", "IMAGE"],
        "thinkingConfig": {"thinkingBudget": -1, "thinkingLevel": "HIGH"},
    },
    "tools": [{"functionDeclarations": []}, {"googleSearch": {}}, {"codeExecution": {}}],
}
SNAKE = {
    "generation_config": {
        "max_output_tokens": 9,
        "candidate_count": 2,
        "response_modalities": ["text", "image"],
        "thinking_config": {"thinking_budget": -1, "thinking_level": "high"},
    },
    "tools": [{"function_declarations": []}, {"google_search": {}}, {"code_execution": {}}],
}


@pytest.mark.parametrize("fields", [CAMEL, SNAKE])
def test_all_that_the_gate_needs_in_both_spellings(fields):
    ask = ask_of(HELLO | fields)
    assert (ask.limit, ask.copies, ask.modalities) == (9, 2, ("text", "image"))
    assert ask.has_tools
    assert ask.web_search
    assert ask.code_execution
    assert (ask.thinking_budget, ask.thinking_level) == (-1, "high")


def test_tools_that_are_null_are_none():
    ask = ask_of(HELLO | {"tools": [{"googleSearch": None}]})
    assert not ask.has_tools
    assert not ask.web_search


@pytest.mark.parametrize("role", [{}, {"role": None}, {"role": ""}])
def test_a_content_without_a_role_is_named(role):
    body = {"contents": [HELLO["contents"][0], {"parts": [{"text": "x"}], **role}]}
    with pytest.raises(RoleMissing, match=r"contents\[1\]\.role"):
        ask_of(body)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": {}}, "contents"),
        ({"contents": ["hi"]}, "contents"),
        ({"contents": [{"role": 3}]}, r"contents[0].role"),
        (HELLO | {"generationConfig": []}, "generationConfig"),
        (HELLO | {"generationConfig": {}, "generation_config": {}}, "generationConfig"),
        (HELLO | {"tools": {}}, "tools"),
        (
            HELLO | {"generationConfig": {"responseModalities": "TEXT"}},
            "generationConfig.responseModalities",
        ),
        (
            HELLO | {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
            "generationConfig.maxOutputTokens",
        ),
        (
            HELLO | {"generationConfig": {"maxOutputTokens": 1.5}},
            "generationConfig.maxOutputTokens",
        ),
        (
            HELLO | {"generationConfig": {"thinkingConfig": 1}},
            "generationConfig.thinkingConfig",
        ),
    ],
)
def test_malformed_fields_are_named(body, name):
    with pytest.raises(FieldError) as caught:
        ask_of(body)
    assert caught.value.name == name


@pytest.mark.parametrize("fields", [{"maxOutputTokens": 0}, {"candidateCount": 129}])
def test_values_out_of_range(fields):
    with pytest.raises(RangeError):
        ask_of(HELLO | {"generationConfig": fields})


def test_an_option_given_twice_is_refused():
    body = b'{"contents":[{"role":"user"}],"generationConfig":{"topP":1,"topP":0}}'
    with pytest.raises(FieldError, match="names each option once"):
        ask_of(body)


def prepared(body, limit, **options):
    top = peek(body)
    return prepare(top, ask_of(body), output_limit=limit, **options)


CONTENTS = b'"contents": [ {"role":"user"} ]'


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (b"{" + CONTENTS + b"}", b'{"generationConfig":{"maxOutputTokens":50},' + CONTENTS + b"}"),
        (
            b"{" + CONTENTS + b', "generationConfig" : {"topP" : 0.50 } }',
            b"{" + CONTENTS + b', "generationConfig" : {"maxOutputTokens":50,"topP" : 0.50 } }',
        ),
        (
            b"{" + CONTENTS + b',"generation_config":{"max_output_tokens": 99}}',
            b"{" + CONTENTS + b',"generation_config":{"max_output_tokens": 50}}',
        ),
        (
            b"{" + CONTENTS + b',"generation_config":null}',
            b"{" + CONTENTS + b',"generation_config":{"max_output_tokens":50}}',
        ),
        (
            b"{" + CONTENTS + b',"generationConfig":{"maxOutputTokens": 50}}',
            b"{" + CONTENTS + b',"generationConfig":{"maxOutputTokens": 50}}',
        ),
    ],
)
def test_the_output_is_bounded_and_nothing_else_changes(given, wanted):
    assert prepared(given, 50) == wanted
    assert prepared(given, None) == given


def test_a_body_that_names_its_model_gets_the_mapped_one():
    given = b'{"model":"models/a",' + CONTENTS + b"}"
    assert prepared(given, None, model="b") == b'{"model":"models/b",' + CONTENTS + b"}"
    assert prepared(b"{" + CONTENTS + b"}", None, model="b") == b"{" + CONTENTS + b"}"


@given(
    st.dictionaries(st.sampled_from(["topP", "seed", "maxOutputTokens"]), st.integers(1, 100)),
    st.integers(1, 100),
)
def test_the_bound_always_holds(config, limit):
    body = json.dumps(HELLO | {"generationConfig": config}).encode()
    told = json.loads(prepared(body, limit))["generationConfig"]
    assert told.pop("maxOutputTokens") == min(limit, config.pop("maxOutputTokens", limit))
    assert told == config


def reply(candidate, **fields):
    return json.dumps({"candidates": [candidate], **fields}).encode()


def test_a_reply_with_all_that_can_be_metered():
    parts = [
        {"text": "thought", "thought": True},
        {"text": "né"},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"executableCode": {"code": "1+1", "language": "PYTHON"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]
    facts = read_reply(
        reply(
            {
                "content": {"parts": parts},
                "finishReason": "STOP",
                "groundingMetadata": {"webSearchQueries": ["a", "b"]},
            },
            usageMetadata={"promptTokenCount": 3, "totalTokenCount": 3},
            modelVersion="gemini-3-flash",
        )
    )
    assert facts.model == "gemini-3-flash"
    assert facts.usage.web_search == 2
    assert facts.usage_seen
    assert facts.finished
    assert not facts.empty
    assert facts.text_bytes == len(b"thought") + 3 + 1 + len(b'{"a":1}') + 3


def test_older_models_charge_for_a_grounded_answer_once():
    body = reply(
        {"groundingMetadata": {"webSearchQueries": ["a", "b"]}},
        usageMetadata={"promptTokenCount": 3},
        modelVersion="gemini-2.5-flash",
    )
    assert read_reply(body).usage.web_search == 1


def test_a_refused_prompt_is_finished_and_empty():
    facts = read_reply(b'{"promptFeedback":{"blockReason":"SAFETY"}}')
    assert facts.finished
    assert facts.empty


def test_a_lone_signature_is_nothing_and_no_reason_is_no_end():
    facts = read_reply(reply({"content": {"parts": [{"text": "", "thoughtSignature": "AA=="}]}}))
    assert facts.empty
    assert not facts.finished
    unsaid = {"finishReason": "FINISH_REASON_UNSPECIFIED"}
    assert not read_reply(reply(unsaid)).finished


def test_an_error_is_a_fault_of_googles_kind():
    error = {"code": 503, "message": "busy", "status": "UNAVAILABLE"}
    fault = read_reply(json.dumps({"error": error}).encode()).error
    assert (fault.type, fault.code, fault.status) == ("UNAVAILABLE", "503", 503)


@given(st.binary(max_size=60))
def test_no_bytes_raise(body):
    assert read_reply(body).usage is None


def test_every_recorded_request_and_reply_is_read(corpus):
    asks = replies = 0
    for recording in recordings.load(corpus, "gemini"):
        if isinstance(recording.request, dict) and "contents" in recording.request:
            asks += 1
            ask_of(recording.request)
        if isinstance(recording.body, dict) and recording.body.get("usageMetadata"):
            replies += 1
            assert read_reply(json.dumps(recording.body).encode()).finished or (
                "candidates" not in recording.body
            ), recording.file
    assert asks > 200
    assert replies > 100
