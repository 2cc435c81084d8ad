"""Owns chat requests as strict clients write them, each thing in one spelling."""

from hypothesis import strategies as st

WORDS = st.text(
    st.characters(codec="ascii", min_codepoint=97, max_codepoint=122), min_size=1, max_size=6
)
HINT = st.just({"type": "ephemeral"})
TEXT = st.fixed_dictionaries(
    {"type": st.just("text"), "text": WORDS}, optional={"cache_control": HINT, "x": st.integers()}
)
PARTS = st.one_of(
    TEXT,
    st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries(
                {"url": st.sampled_from(["https://x/y", "data:image/png;base64,iVBORw0KGgoA"])},
                optional={"detail": st.sampled_from(["low", "odd"])},
            ),
        },
        optional={"cache_control": HINT},
    ),
    st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    st.just({"type": "file", "file": {"file_id": "file-1"}}),
    st.just({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0x"}}),
    st.just({"type": "odd", "odd": [1]}),
)  # fmt: skip
SAID = WORDS | st.lists(PARTS, min_size=2, max_size=3)
SPOKEN = WORDS | st.lists(TEXT, min_size=2, max_size=3)
INSTRUCTION = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer"]), "content": SPOKEN}, optional={"name": WORDS}
)
CALLS = st.one_of(
    st.builds(lambda n, a: {"id": n, "type": "function", "function": {"name": n, "arguments": a}}, WORDS, WORDS),
    st.builds(lambda n, a: {"id": n, "type": "custom", "custom": {"name": n, "input": a}}, WORDS, WORDS),
    st.just(
        {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "sig"}},
        }
    ),
)  # fmt: skip
MESSAGES = st.one_of(
    INSTRUCTION,
    st.fixed_dictionaries({"role": st.just("user"), "content": SAID}, optional={"name": WORDS}),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": SPOKEN},
        optional={
            "refusal": WORDS,
            "tool_calls": st.lists(CALLS, min_size=1, max_size=2),
            "reasoning": WORDS,
            "reasoning_content": WORDS,
            "reasoning_details": st.just(
                [{"type": "reasoning.text", "text": "a", "signature": "s"}]
            ),
            "audio": st.just({"id": "audio_1"}),
            "annotations": st.just([{"type": "url_citation"}]),
            "name": WORDS,
        },
    ),
    st.fixed_dictionaries(
        {"role": st.just("tool"), "tool_call_id": WORDS, "content": SPOKEN},
        optional={"name": WORDS},
    ),
)
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "d"}}
SCHEMA = st.just({"type": "object", "properties": {"x": {"type": "integer"}}})
TOOLS = st.one_of(
    st.builds(
        lambda function: {"type": "function", "function": function},
        st.fixed_dictionaries(
            {"name": WORDS},
            optional={"description": WORDS, "parameters": SCHEMA, "strict": st.booleans(), "x": st.integers()},
        ),
    ),
    st.just({"type": "custom", "custom": {"name": "free", "format": GRAMMAR}}),
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {"model": st.just("up"), "messages": st.lists(MESSAGES, min_size=1, max_size=4)},
    optional={
        "tools": st.lists(
            TOOLS, min_size=1, max_size=3, unique_by=lambda one: one[one["type"]]["name"]
        ),
        "tool_choice": st.sampled_from(["auto", "none", "required"]),
        "parallel_tool_calls": st.booleans(),
        "web_search_options": st.just({"search_context_size": "low"}),
        "max_completion_tokens": st.integers(1, 10**6),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "stop": st.lists(WORDS, min_size=1, max_size=6),
        "seed": st.integers(),
        "presence_penalty": st.floats(-2, 2),
        "n": st.integers(2, 5),
        "reasoning_effort": WORDS,
        "reasoning": st.just({"effort": "low", "exclude": True}),
        "response_format": st.sampled_from(
            [
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
            ]
        ),
        "safety_identifier": WORDS,
        "service_tier": WORDS,
        "modalities": st.just(["text", "audio"]),
        "audio": st.just({"voice": "alloy", "format": "wav"}),
        "metadata": st.just({"a": "b"}),
        "store": st.booleans(),
        "verbosity": WORDS,
        "logit_bias": st.just({"1": 2}),
    },
)
