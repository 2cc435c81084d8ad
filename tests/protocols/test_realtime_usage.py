"""Realtime usage: disjoint buckets that hold all that was told, whatever the vendor writes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.realtime_usage import added, usage_from
from tollbridge.protocols.usage import Usage

FULL = {
    "total_tokens": 1000,
    "input_tokens": 700,
    "output_tokens": 300,
    "input_token_details": {
        "text_tokens": 200,
        "audio_tokens": 400,
        "image_tokens": 100,
        "cached_tokens": 350,
        "cached_tokens_details": {"text_tokens": 150, "audio_tokens": 170, "image_tokens": 30},
    },
    "output_token_details": {"text_tokens": 60, "audio_tokens": 240},
}
_SPLIT = Usage(
    input=50, cache_read=350, audio_input=230, image_input=70, output=60, audio_output=240
)


def test_every_kind_of_token_has_its_bucket():
    assert usage_from(FULL) == _SPLIT


def test_cached_tokens_of_no_kind_are_text_first_then_audio():
    details = {**FULL["input_token_details"]}
    del details["cached_tokens_details"]
    used = usage_from({**FULL, "input_token_details": details})
    assert used == Usage(
        cache_read=350, audio_input=250, image_input=100, output=60, audio_output=240
    )


def test_without_details_everything_is_text():
    assert usage_from({"input_tokens": 7, "output_tokens": 3}) == Usage(input=7, output=3)
    assert usage_from({"total_tokens": 7}) == Usage(input=7, clamped=True)


def test_a_transcription_is_tokens_or_seconds():
    tokens = {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}
    details = {"input_token_details": {"text_tokens": 4, "audio_tokens": 10}}
    assert usage_from({**tokens, **details}) == Usage(input=4, audio_input=10, output=3)
    assert usage_from({"type": "duration", "seconds": 2.25}) == Usage(second=3)


@pytest.mark.parametrize(
    "fields", [None, 1, [], "x", {}, {"input_tokens": None}, {"input_token_details": {}}]
)
def test_what_tells_nothing_is_no_usage(fields):
    assert usage_from(fields) is None


@pytest.mark.parametrize(
    ("change", "bucket", "count"),
    [
        ({"output_tokens": -5, "total_tokens": None}, "audio_output", 0),
        ({"output_token_details": {"audio_tokens": 900}}, "audio_output", 300),
        ({"input_token_details": {"cached_tokens": 900}}, "cache_read", 700),
        ({"total_tokens": 1001}, "output", 61),
        ({"output_tokens": math.inf}, "output", 10**9 - 240),
        ({"output_tokens": math.nan, "total_tokens": None}, "output", 0),
        ({"output_tokens": True, "total_tokens": None}, "output", 0),
    ],
)
def test_what_does_not_add_up_is_corrected_and_flagged(change, bucket, count):
    used = usage_from({**FULL, **change})
    assert used is not None and used.clamped
    assert getattr(used, bucket) == count


_counts = st.integers(0, 10**6)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from([*FULL, *FULL["input_token_details"], "type", "seconds"]), inner
    ),
    max_leaves=20,
)


@given(_anything)
def test_it_never_raises_and_never_goes_below_zero(fields):
    used = usage_from(fields)
    if used is not None:
        numbers = [value for value in used.__rich_repr__() if isinstance(value[1], int)]
        assert all(value >= 0 for _, value in numbers)


@given(_counts, _counts, _counts, st.data())
def test_no_token_is_lost_or_counted_twice(text, audio, image, data):
    kinds = {
        f"{name}_tokens": data.draw(st.integers(0, most))
        for name, most in (("text", text), ("audio", audio), ("image", image))
    }
    output, loud = data.draw(_counts), 0
    loud = data.draw(st.integers(0, output))
    used = usage_from(
        {
            "input_tokens": text + audio + image,
            "output_tokens": output,
            "total_tokens": text + audio + image + output,
            "input_token_details": {
                "text_tokens": text,
                "audio_tokens": audio,
                "image_tokens": image,
                "cached_tokens": sum(kinds.values()),
                "cached_tokens_details": kinds,
            },
            "output_token_details": {"audio_tokens": loud},
        }
    )
    assert used == Usage(
        input=text - kinds["text_tokens"],
        audio_input=audio - kinds["audio_tokens"],
        image_input=image - kinds["image_tokens"],
        cache_read=sum(kinds.values()),
        output=output - loud,
        audio_output=loud,
    )


def test_parts_of_a_session_add():
    one, other = Usage(input=1, audio_output=2, second=3), Usage(input=4, request=1, clamped=True)
    both = added(one, other)
    assert both == Usage(input=5, audio_output=2, second=3, request=1, clamped=True)
    assert added(both, Usage()) == both
