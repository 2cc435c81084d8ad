"""Figures of responses become disjoint buckets and come out again; nonsense is flagged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.responses_usage import usage_fields, usage_from, usage_of
from tollbridge.protocols.usage import Usage

COUNTS = st.integers(0, 10**6)
JUNK = st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


def figures(sent, made, total=None, inside=None, outcome=None):
    total = sent + made if total is None else total
    given = {"input_tokens": sent, "output_tokens": made, "total_tokens": total}
    return {**given, "input_tokens_details": inside, "output_tokens_details": outcome}


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (figures(10, 5), Usage(input=10, output=5)),
        (
            figures(1220, 9, None, {"cached_tokens": 0, "cache_write_tokens": 1217}),
            Usage(input=3, cache_write_5m=1217, output=9),
        ),
        (
            figures(10, 5, None, {"cached_tokens": 4}, {"reasoning_tokens": 3}),
            Usage(input=6, cache_read=4, output=5, reasoning=3),
        ),
        # A recorded fault of an upstream: the reasoning is what is known to have been made.
        (
            figures(0, -9, -9, {"cached_tokens": 0}, {"reasoning_tokens": 448}),
            Usage(output=448, reasoning=448, clamped=True),
        ),
        (figures(10, 5, None, {"cached_tokens": 40}), Usage(cache_read=10, output=5, clamped=True)),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_figures_become_buckets(given, usage):
    assert usage_from(given) == usage


def test_searches_are_counted_but_not_the_pages_opened():
    output = [
        {"type": "web_search_call", "action": {"type": "search", "query": "a"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "web_search_call"},
        {"type": "message"},
        "no item",
    ]
    response = {"usage": figures(10, 5), "output": output}
    assert usage_of(response) == Usage(input=10, output=5, web_search=2)
    assert usage_of({"output": output}) is None


@given(st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "total_tokens"]), JUNK))
def test_nonsense_never_raises_and_no_bucket_is_negative(given):
    usage = usage_from(given)
    assert usage is None or min(usage.input, usage.output, usage.reasoning) >= 0


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_what_is_written_is_read_again(fresh, read, written, output, reasoning):
    usage = Usage(
        input=fresh,
        cache_read=read,
        cache_write_5m=written,
        output=output,
        reasoning=min(reasoning, output),
    )
    assert usage_from(usage_fields(usage)) == usage


def test_every_recorded_usage_adds_up(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        given = (record.body or {}).get("usage") if isinstance(record.body, dict) else None
        if not given or given["output_tokens"] < 0:
            continue
        usage, seen = usage_from(given), seen + 1
        assert usage.tokens_in() == given["input_tokens"], record.file
        assert usage.output == given["output_tokens"], record.file
        assert usage.cache_read == given["input_tokens_details"]["cached_tokens"], record.file
    assert seen > 200
