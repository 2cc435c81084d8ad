"""Owns JSON that only looks like a chat answer: known names with values of any kind."""

from hypothesis import strategies as st

NAMES = st.sampled_from(
    [
        "choices",
        "message",
        "delta",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "name",
        "custom",
        "input",
        "arguments",
        "images",
        "image_url",
        "url",
        "audio",
        "data",
        "id",
        "annotations",
        "finish_reason",
        "reasoning_details",
        "signature",
        "index",
        "usage",
        "error",
        "extra_content",
        "google",
        "thought_signature",
        "url_citation",
        "citations",
        "reasoning",
        "transcript",
        "function_call",
        "refusal",
        "stop_reason",
        "thinking",
        "x_groq",
        "format",
    ]
)
_WORDS = st.sampled_from(
    ["text", "thinking", "image_url", "reasoning.text", "reasoning.encrypted", "data:,x", "{}"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
JUNK = st.dictionaries(NAMES, _VALUES, max_size=6)
