"""The quick reader must agree with the general one wherever it answers at all."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.chat import text_size
from tollbridge.protocols.chat_quick import quick_facts
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.usage import Usage

TEXT: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"content": "héllo"}}
FIGURES = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def encoded(**changes: Any) -> bytes:
    return json.dumps({"model": "m", "choices": [TEXT], "usage": FIGURES, **changes}).encode()


def test_a_plain_answer_is_read() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 4}}
    body = encoded(usage={**FIGURES, **details})
    assert quick_facts(body) == ("m", Usage(input=6, cache_read=4, output=5), 6)


def test_everything_unusual_is_left_to_the_general_reader() -> None:
    message = TEXT["message"]
    unusual = [
        encoded(error={"message": "no"}),
        encoded(choices=[]),
        encoded(choices=[{**TEXT, "finish_reason": None}]),
        encoded(choices=[{**TEXT, "message": {**message, "tool_calls": [{}]}}]),
        encoded(choices=[{**TEXT, "message": {"content": None}}]),
        encoded(choices=[{**TEXT, "message": {"content": [{"type": "text"}]}}]),
        encoded(usage=None),
        encoded(usage={**FIGURES, "total_tokens": 16}),
        encoded(usage={**FIGURES, "prompt_tokens": -1, "total_tokens": 4}),
        encoded(usage={**FIGURES, "cached_tokens": 3}),
        encoded(usage={**FIGURES, "prompt_tokens": 10.5}),
        b"",
        b"[]",
        b'{"model":',
        b"\xff",
        b"[" * 100_000,
    ]
    for body in unusual:
        assert quick_facts(body) is None, body[:100]


counts = st.integers(-2, 40) | st.none()
figures = st.fixed_dictionaries(
    {"prompt_tokens": counts, "completion_tokens": counts, "total_tokens": st.integers(-2, 90)},
    optional={
        "prompt_tokens_details": st.none()
        | st.dictionaries(
            st.sampled_from(["cached_tokens", "audio_tokens", "cache_write_tokens"]), counts
        ),
        "completion_tokens_details": st.none()
        | st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens"]), counts),
        "num_cached_tokens": counts,
    },
)


@given(figures)
def test_it_agrees_with_the_general_arithmetic(given_figures: dict[str, Any]) -> None:
    quick = quick_facts(encoded(usage=given_figures))
    if quick is not None:
        assert quick[1] == usage_from(given_figures)


def test_it_agrees_on_recorded_answers(corpus: Path) -> None:
    read = 0
    for file in sorted((corpus / "openai_chat").glob("*.json")):
        body = json.loads(file.read_bytes())["response"].get("body")
        quick = quick_facts(json.dumps(body).encode()) if body else None
        if quick is not None:
            read += 1
            texts = sum(text_size(choice["message"]) for choice in body["choices"])
            used = with_tier(usage_from(body["usage"]), body.get("service_tier"))
            assert quick == (body["model"], used, texts), file.name
    assert read > 50
