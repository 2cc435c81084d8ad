"""Media usage: figures become disjoint buckets, counted items stand beside them, nothing raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollbridge.protocols.chat_usage import TOKENS_MAX
from tollbridge.protocols.media_usage import (
    SECONDS_MAX,
    image_usage,
    images_made,
    seconds_of,
    speech_usage,
    sum_of_images,
    text_tokens,
    transcription_usage,
    with_drawing,
)
from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage

IMAGE = {
    "input_tokens": 221,
    "input_tokens_details": {"image_tokens": 194, "text_tokens": 27},
    "output_tokens": 415,
    "output_tokens_details": {"image_tokens": 272, "text_tokens": 143},
    "total_tokens": 636,
}


def test_text_and_images_are_apart():
    expected = Usage(input=27, image_input=194, output=143, image_output=272)
    assert image_usage(IMAGE) == expected


def test_output_without_details_is_images():
    found = image_usage({**IMAGE, "output_tokens_details": None})
    assert found == Usage(input=27, image_input=194, image_output=415)


def test_cached_input_is_apart():
    details = {"image_tokens": 100, "text_tokens": 121, "cached_tokens": 50}
    found = image_usage({**IMAGE, "input_tokens_details": details})
    assert (found.cache_read, found.image_input, found.input) == (50, 100, 71)


@pytest.mark.parametrize("fields", [None, [], "x", {}, {"cost_in_usd_ticks": 200_000_000}])
def test_no_counts_are_no_usage(fields):
    assert image_usage(fields) is None
    assert speech_usage(fields) is None
    assert transcription_usage(fields) is None


def test_what_does_not_add_up_is_flagged():
    found = image_usage({**IMAGE, "output_tokens_details": {"text_tokens": 900}})
    assert (found.output, found.image_output, found.clamped) == (415, 0, True)
    assert image_usage({**IMAGE, "input_tokens": -1}).clamped


def test_the_model_that_draws_is_added():
    drawn = {"input_tokens": 5, "output_tokens": 70, "reasoning_tokens": 30, "total_tokens": 75}
    usage = with_drawing(Usage(input=27, image_output=100), drawn)
    assert usage == Usage(input=32, output=70, reasoning=30, image_output=100)
    assert with_drawing(usage, None) is usage


def test_images_of_one_stream_are_added_but_not_their_input():
    one = image_usage(IMAGE)
    assert sum_of_images(None, one) is one
    assert sum_of_images(one, one) == replace(one, output=286, image_output=544)


def test_images_are_counted_up_to_what_was_asked():
    tokens = Usage(image_output=5)
    made = images_made(2, 2, "1024x1024", "hd", tokens)
    assert made == Usage(image_output=5, images=(ImageCount("1024x1024", "hd", 2),))
    assert images_made(3, 2, "a", "b", None) == Usage(
        images=(ImageCount("a", "b", 2),), clamped=True
    )
    assert images_made(0, 2, "a", "b", None) == Usage()


def test_speech_is_sound():
    fields = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    assert speech_usage(fields) == Usage(input=14, audio_output=101)


def test_transcription_in_either_spelling():
    openai = {
        "type": "tokens",
        "total_tokens": 181,
        "input_tokens": 40,
        "input_token_details": {"text_tokens": 3, "audio_tokens": 37},
        "output_tokens": 141,
    }
    assert transcription_usage(openai) == Usage(input=3, audio_input=37, output=141)
    mistral = {
        "prompt_audio_seconds": 3,
        "prompt_tokens": 380,
        "completion_tokens": 20,
        "total_tokens": 400,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
    }
    assert transcription_usage(mistral) == Usage(input=5, audio_input=375, output=20)
    beside = {**mistral, "prompt_tokens": 5}
    assert transcription_usage(beside) == Usage(input=5, audio_input=375, output=20)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3, 3),
        (36.709999084472656, 37),
        (0.001, 1),
        (10**30, SECONDS_MAX),
        (0, None),
        (-1, None),
        (True, None),
        ("3", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_seconds_are_rounded_up(value, seconds):
    assert seconds_of(value) == seconds


def test_text_tokens():
    assert [text_tokens(size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "input_tokens",
                    "output_tokens",
                    "total_tokens",
                    "prompt_tokens",
                    "text_tokens",
                    "image_tokens",
                    "audio_tokens",
                    "cached_tokens",
                    "reasoning_tokens",
                    "input_tokens_details",
                    "input_token_details",
                    "output_tokens_details",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(_json, _json)
def test_any_json_gives_sane_figures(fields, drawing):
    found = [image_usage(fields), speech_usage(fields), transcription_usage(fields)]
    found.append(with_drawing(Usage(), drawing))
    for usage in filter(None, found):
        assert all(0 <= getattr(usage, name) <= TOKENS_MAX for name in TOKEN_BUCKETS)
        assert usage.reasoning <= usage.output
    seconds = seconds_of(fields)
    assert seconds is None or 1 <= seconds <= SECONDS_MAX
