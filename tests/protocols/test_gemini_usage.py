"""Gemini's figures become disjoint buckets, and the same figures again."""

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.gemini_usage import TOKENS_MAX, has_counts, usage_fields, usage_from
from tollbridge.protocols.usage import Usage


def total(usage):
    made = usage.output + usage.audio_output + usage.image_output
    return usage.tokens_in() + made


def test_thoughts_and_tool_prompts_come_on_top_and_cached_tokens_do_not():
    usage = usage_from(
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 7,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 11,
            "totalTokenCount": 138,
        }
    )
    assert usage == Usage(input=51, cache_read=60, output=27, reasoning=20)


def test_modalities_have_buckets_and_cached_ones_are_not_counted_twice():
    usage = usage_from(
        {
            "prompt_token_count": 1000,
            "cached_content_token_count": 500,
            "candidates_token_count": 1300,
            "prompt_tokens_details": [
                {"modality": "AUDIO", "token_count": 400},
                {"modality": "IMAGE", "token_count": 258},
                {"modality": "TEXT", "token_count": 342},
            ],
            "cache_tokens_details": [{"modality": "AUDIO", "token_count": 300}],
            "candidates_tokens_details": [{"modality": "IMAGE", "token_count": 1290}],
        }
    )
    assert usage == Usage(
        input=142, cache_read=500, audio_input=100, image_input=258, output=10, image_output=1290
    )


def test_thoughts_that_only_the_total_counts_are_output():
    usage = usage_from({"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 20})
    assert usage == Usage(input=5, output=15)


def test_figures_that_do_not_add_up_are_flagged():
    base = {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
    assert usage_from(base | {"totalTokenCount": 99}).clamped
    assert usage_from(base | {"totalTokenCount": 4}).clamped
    assert usage_from({"promptTokenCount": -5}) == Usage(clamped=True)
    assert usage_from({"promptTokenCount": 5, "cachedContentTokenCount": 9}) == Usage(
        cache_read=5, clamped=True
    )
    assert usage_from({"promptTokenCount": "7"}) == Usage(input=7, clamped=True)
    assert usage_from({"candidatesTokenCount": 1e300}) == Usage(output=TOKENS_MAX, clamped=True)
    assert usage_from({"candidatesTokenCount": float("nan")}) == Usage(clamped=True)


def test_no_counts_are_no_usage():
    assert usage_from(None) is None
    assert usage_from({"trafficType": "ON_DEMAND"}) is None
    assert usage_from([1]) is None


NUMBERS = st.integers(0, 10**6)


@given(st.lists(NUMBERS, min_size=7, max_size=7), NUMBERS)
def test_what_is_written_reads_the_same(counts, reasoning):
    fresh, cached, output, *others = counts
    names = ("audio_input", "image_input", "audio_output", "image_output")
    usage = Usage(
        input=fresh,
        cache_read=cached,
        output=output,
        reasoning=min(reasoning, output),
        **dict(zip(names, others, strict=True)),
    )
    fields = usage_fields(usage)
    assert fields["totalTokenCount"] == total(usage)
    assert usage_from(fields) == usage


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["promptTokenCount", "totalTokenCount", "promptTokensDetails", "modality"]
            ),
            inner,
        )
    ),
)


@given(ANY)
def test_what_has_counts_has_a_usage(value):
    assert has_counts(value) == (usage_from(value) is not None)


@given(ANY)
def test_any_json_is_read_without_an_error(value):
    usage = usage_from(value)
    assert usage is None or min(usage.input, usage.output, usage.cache_read) >= 0


def test_every_recorded_usage_adds_up(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        chunks = recording.events() if recording.sse else [recording.body]
        for chunk in chunks:
            figures = chunk.get("usageMetadata") if isinstance(chunk, dict) else None
            usage = usage_from(figures)
            if usage is None or "totalTokenCount" not in figures:
                continue
            seen += 1
            assert not usage.clamped, recording.file
            assert total(usage) == figures["totalTokenCount"], recording.file
            assert usage.reasoning == figures.get("thoughtsTokenCount", 0)
            assert usage.cache_read == figures.get("cachedContentTokenCount", 0)
    assert seen > 400
