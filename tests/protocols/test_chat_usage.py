"""Usage figures become disjoint buckets, whatever the vendor's arithmetic; nonsense is flagged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage

from tests.protocols import recordings
from tollbridge.protocols.chat_usage import TOKENS_MAX, merge_usage, usage_fields, usage_from
from tollbridge.protocols.usage import Usage

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers(), max_size=2),
)
NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "cache_write_tokens",
     "audio_tokens", "reasoning_tokens", "image_tokens"]
)  # fmt: skip
DETAILS = ("prompt_tokens_details", "completion_tokens_details")


def figures(prompt, completion, total=None, inside=None, outcome=None):
    total = prompt + completion if total is None else total
    given = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**given, "prompt_tokens_details": inside, "completion_tokens_details": outcome}


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (figures(10, 5), Usage(input=10, output=5)),
        (figures(0, 0), Usage()),
        (figures(10, 5, inside={"cached_tokens": 4}), Usage(input=6, cache_read=4, output=5)),
        (figures(10, 5, outcome={"reasoning_tokens": 3}), Usage(input=10, output=5, reasoning=3)),
        # xAI: the reasoning is beside the completion.
        (figures(687, 10, 831, None, {"reasoning_tokens": 134}), Usage(input=687, output=144, reasoning=134)),
        # Google's endpoint: hidden thinking is in the total alone.
        (figures(35, 12, 109), Usage(input=35, output=74)),
        # Azure Grok: more cached tokens than prompt tokens.
        (
            figures(347, 1, inside={"cached_tokens": 403}),
            Usage(cache_read=347, output=1, clamped=True),
        ),
        (
            figures(1220, 1, inside={"cached_tokens": 0, "cache_write_tokens": 1217}),
            Usage(input=3, cache_write_5m=1217, output=1),
        ),
        (
            figures(100, 50, inside={"audio_tokens": 60, "cached_tokens": 10}, outcome={"audio_tokens": 40}),
            Usage(input=30, cache_read=10, audio_input=60, output=10, audio_output=40),
        ),
        (
            figures(100, 50, inside={"image_tokens": 60}, outcome={"image_tokens": 45}),
            Usage(input=40, image_input=60, output=5, image_output=45),
        ),
        # Cached tokens may be the audio ones: no fault, and nothing is counted twice.
        (
            figures(100, 0, inside={"audio_tokens": 60, "cached_tokens": 90}),
            Usage(cache_read=90, audio_input=10),
        ),
        ({**figures(10, 5), "prompt_cache_hit_tokens": 4}, Usage(input=6, cache_read=4, output=5)),
        ({**figures(10, 5), "cached_tokens": 4}, Usage(input=6, cache_read=4, output=5)),
        ({"completion_tokens": 5, "total_tokens": 15}, Usage(input=10, output=5)),
        ({"prompt_tokens": 5}, Usage(input=5)),
        (
            figures(10, -9, -9, None, {"reasoning_tokens": 448}),
            Usage(input=10, output=448, reasoning=448, clamped=True),
        ),
        (figures(10, 5, 9), Usage(input=10, output=5, clamped=True)),
        (figures(10, 5, 30, None, {"reasoning_tokens": 3}), Usage(input=10, output=5, reasoning=3, clamped=True)),
        ({"prompt_tokens": "10", "completion_tokens": 4.2}, Usage(input=10, output=5, clamped=True)),
        ({"prompt_tokens": True, "completion_tokens": []}, Usage(clamped=True)),
        ({"prompt_tokens": 10**30}, Usage(input=TOKENS_MAX, clamped=True)),
        ({"prompt_tokens": float("-inf"), "completion_tokens": 1e300}, Usage(output=TOKENS_MAX, clamped=True)),
    ],
)  # fmt: skip
def test_vendor_arithmetic(given, usage):
    assert usage_from(given) == usage


@pytest.mark.parametrize(
    "given", [None, {}, [], "12", 3, {"prompt_tokens": None}, {"queue_time": 0.1}]
)
def test_what_has_no_counts_is_no_usage(given):
    assert usage_from(given) is None


@given(
    st.dictionaries(NAMES, JUNK, max_size=4),
    st.dictionaries(NAMES, JUNK, max_size=4),
    st.dictionaries(NAMES, JUNK, max_size=4),
)
def test_nonsense_never_raises_and_never_goes_below_zero(top, inside, outcome):
    usage = usage_from({**top, **dict(zip(DETAILS, (inside, outcome), strict=True))})
    if usage is not None:
        buckets = (
            usage.input, usage.cache_read, usage.cache_write_5m, usage.output, usage.reasoning,
            usage.audio_input, usage.audio_output, usage.image_input, usage.image_output,
        )  # fmt: skip
        assert all(type(bucket) is int and 0 <= bucket <= 2 * TOKENS_MAX for bucket in buckets)
        assert usage.reasoning <= usage.output


@given(
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
)
def test_buckets_of_sound_figures_are_disjoint_and_whole(fresh, cached, written, audio, output):
    prompt = fresh + cached + written + audio
    inside = {"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio}
    usage = usage_from(figures(prompt, output, inside=inside))
    assert (usage.input, usage.cache_read, usage.cache_write_5m, usage.audio_input) == (
        fresh,
        cached,
        written,
        audio,
    )
    assert usage.tokens_in() == prompt
    assert not usage.clamped


def test_a_later_part_does_not_wipe_an_earlier_whole():
    first = figures(10, 1, inside={"cached_tokens": 4, "audio_tokens": 0})
    later = {
        "prompt_tokens": None,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"audio_tokens": 2},
    }
    merged = merge_usage(merge_usage(None, first), later)
    assert merged["prompt_tokens"] == 10
    assert merged["completion_tokens"] == 7
    assert merged["prompt_tokens_details"] == {"cached_tokens": 4, "audio_tokens": 2}
    assert merge_usage(first, {"completion_tokens_details": {"x": 1}})[
        "completion_tokens_details"
    ] == {"x": 1}


def test_recorded_figures(corpus):
    """The few clamped ones are Azure's Grok, which counts more cached tokens than prompt tokens."""
    ran = 0
    for recording in recordings.load(corpus, "openai_chat"):
        objects = recording.events() if recording.sse else [recording.body]
        for fields in [thing.get("usage") for thing in objects]:
            expected = recordings.plain_usage(fields)
            if expected is None:
                assert usage_from(fields) is None
                continue
            usage = usage_from(fields)
            made = usage.output + usage.audio_output + usage.image_output
            assert (usage.tokens_in(), made, usage.cache_read) == expected, recording.file
            details = fields.get("prompt_tokens_details") or {}
            assert usage.clamped == (
                (details.get("cached_tokens") or 0) > fields["prompt_tokens"]
            ), recording.file
            ran += 1
    print(f"usage objects checked: {ran}")
    assert ran > 250


TOKENS = st.integers(0, 10**6)


@given(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_written_figures_are_read_again(fresh, cached, written, made, heard, spoken, seen):
    usage = Usage(
        input=fresh,
        cache_read=cached,
        cache_write_5m=written,
        output=made,
        reasoning=made // 2,
        audio_input=heard,
        audio_output=spoken,
        image_input=seen,
    )
    assert usage_from(usage_fields(usage)) == usage


def test_all_cache_writes_are_one_figure():
    fields = usage_fields(Usage(input=1, cache_write_5m=2, cache_write_1h=3, output=4))
    assert (fields["prompt_tokens"], fields["completion_tokens"], fields["total_tokens"]) == (
        6,
        4,
        10,
    )
    assert fields["prompt_tokens_details"]["cache_write_tokens"] == 5
    CompletionUsage.model_validate(fields, strict=True)


def test_images_made_have_no_figure_of_their_own():
    fields = usage_fields(Usage(output=4, image_output=5))
    assert fields["completion_tokens"] == 9
    details = CompletionUsage.model_validate(fields, strict=True).completion_tokens_details
    assert details is not None and not details.model_extra
