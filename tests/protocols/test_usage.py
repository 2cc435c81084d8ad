"""Tests of the canonical usage: the shape that prices, rows and adapters share."""

import pytest

from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage


def test_everything_defaults_to_nothing_used() -> None:
    usage = Usage()
    assert all(getattr(usage, bucket) == 0 for bucket in TOKEN_BUCKETS)
    assert usage.tokens_in() == 0
    assert usage.images == ()
    assert not usage.clamped


def test_buckets_are_fields_and_leave_reasoning_out() -> None:
    fields = set(Usage.__struct_fields__)
    assert set(TOKEN_BUCKETS) < fields
    assert len(set(TOKEN_BUCKETS)) == len(TOKEN_BUCKETS)
    assert "reasoning" not in TOKEN_BUCKETS


def test_tokens_in_is_the_sum_of_every_input_bucket() -> None:
    powers = {bucket: 10**place for place, bucket in enumerate(TOKEN_BUCKETS)}
    outputs = {"output", "audio_output", "image_output"}
    expected = sum(power for bucket, power in powers.items() if bucket not in outputs)
    assert (
        Usage(
            **powers, reasoning=7, request=1, images=(ImageCount("1024x1024", "high", 2),)
        ).tokens_in()
        == expected
    )


def test_usage_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Usage().input = 1  # type: ignore[misc]
