"""Proof that every bucket of tokens is counted on one side, and only there."""

from tollbridge.console.tokens import tokens_in, tokens_out
from tollbridge.protocols.usage import TOKEN_BUCKETS


def test_each_bucket_is_on_one_side():
    for name in TOKEN_BUCKETS:
        assert tokens_in({name: 1}) + tokens_out({name: 1}) == 1, name


def test_reasoning_is_a_part_of_the_output_and_not_counted_twice():
    assert tokens_out({"output": 10, "reasoning": 7}) == 10
    assert tokens_in({"input": 3, "cache_read": 2, "output": 10}) == 5
