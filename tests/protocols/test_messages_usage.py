"""The twin of protocols/messages_usage.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols.messages_usage import (
    begun_usage,
    delta_usage_fields,
    merged_usage,
    usage_fields,
    usage_from,
)
from tollbridge.protocols.usage import Usage

TOKENS = st.integers(0, 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
    "cache_creation", "server_tool_use", "output_tokens_details", "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens", "thinking_tokens", "web_search_requests",
])  # fmt: skip


def test_input_excludes_the_cache_and_thinking_is_inside_the_output():
    assert usage_from({
        "input_tokens": 5,
        "output_tokens": 40,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 11,
        "cache_creation": {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 3},
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    }) == Usage(
        input=5, cache_read=7, cache_write_5m=8, cache_write_1h=3, output=40, reasoning=30,
        web_search=2,
    )  # fmt: skip


def test_written_without_a_split_is_for_five_minutes():
    assert usage_from({"cache_creation_input_tokens": 9}) == Usage(cache_write_5m=9)


def test_a_total_above_its_split_counts():
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}
    usage = usage_from({"cache_creation_input_tokens": 9, "cache_creation": split})
    assert usage == Usage(cache_write_5m=7, cache_write_1h=2)


def test_a_split_above_its_total_is_clamped():
    split = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6}
    usage = usage_from({"cache_creation_input_tokens": 4, "cache_creation": split})
    assert usage == Usage(cache_write_1h=4, clamped=True)


def test_a_split_without_a_total_is_the_total():
    split = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6}
    assert usage_from({"cache_creation": split}) == Usage(cache_write_5m=5, cache_write_1h=6)


@pytest.mark.parametrize("fields", [None, [], "x", {}, {"input_tokens": None}, {"other": 3}])
def test_no_count_is_no_usage(fields):
    assert usage_from(fields) is None


@pytest.mark.parametrize("odd", [-3, True, "5", [], float("nan")])
def test_odd_counts_are_nothing_and_flagged(odd):
    usage = usage_from({"input_tokens": 1, "output_tokens": odd})
    assert usage == Usage(input=1, clamped=True)


def test_thinking_above_the_output_raises_it():
    details = {"output_tokens_details": {"thinking_tokens": 9}, "output_tokens": 4}
    assert usage_from(details) == Usage(output=9, reasoning=9, clamped=True)


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        (
            {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 9},
            Usage(input=5, cache_read=2, interim=True),
        ),
        ({"input_tokens": 0, "output_tokens": 1}, None),
        ({}, None),
    ],
)
def test_the_start_of_a_stream_tells_the_input_alone(fields, usage):
    assert begun_usage(fields) == usage


def test_later_figures_replace_and_are_never_added():
    start = {"input_tokens": 589, "output_tokens": 1, "cache_read_input_tokens": 4}
    later = {"input_tokens": 1250, "output_tokens": 77, "cache_read_input_tokens": None}
    merged = merged_usage(merged_usage(None, start), later)
    assert usage_from(merged) == Usage(input=1250, output=77, cache_read=4)
    assert start["input_tokens"] == 589


def test_a_part_of_the_details_does_not_wipe_the_rest():
    start = {"cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}}
    merged = merged_usage(start, {"cache_creation": {"ephemeral_5m_input_tokens": 5}})
    assert usage_from(merged) == Usage(cache_write_5m=5, cache_write_1h=4)
    assert merged_usage(start, "nonsense") is start


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON)) | JSON)
def test_nothing_raises_and_nothing_is_negative(fields):
    usage = usage_from(fields)
    if usage is not None:
        assert min(usage.tokens_in(), usage.output, usage.web_search) >= 0
        assert usage.reasoning <= usage.output


@given(st.builds(
    Usage, input=TOKENS, cache_read=TOKENS, cache_write_5m=TOKENS, cache_write_1h=TOKENS,
    output=TOKENS, web_search=st.integers(0, 9),
))  # fmt: skip
def test_written_figures_are_read_again(usage):
    fields = usage_fields(usage)
    assert usage_from(fields) == usage
    assert oracle.figures(fields)[0] == usage.input
    assert merged_usage(fields, delta_usage_fields(usage)) == fields


def test_buckets_that_the_protocol_lacks_are_counted_with_the_others():
    fields = usage_fields(Usage(input=1, audio_input=2, image_input=3, output=4, image_output=5))
    assert (fields["input_tokens"], fields["output_tokens"]) == (6, 9)


def test_recorded_figures(corpus):
    whole = oracle.recorded(corpus, streams=False)
    seen = 0
    for one in whole:
        given = one.body.get("usage") if isinstance(one.body, dict) else None
        if given is None:
            continue
        usage = usage_from(given)
        assert usage is not None and not usage.clamped, one.file
        assert oracle.figures(usage_fields(usage)) == oracle.figures(given), one.file
        seen += 1
    assert seen > 100
