"""Proof that imported prices charge what the package of list prices itself works out."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest
from genai_prices.types import TimeOfDateConstraint

from tests.billing.priced_by_oracle import AT, Question, in_nano, questions, theirs
from tests.billing.priced_calls import receipt, recomputed, stored
from tollbridge.billing.pricing import list_cost
from tollbridge.catalog.price_import import translated
from tollbridge.catalog.price_import_source import chosen, counterpart, read_source
from tollbridge.core.money import NANO
from tollbridge.protocols.usage import Usage

SEED = 39
# Prices at hours of the day are no part of ours: see below.
MANY = [one for one in questions(SEED, 1) if not any(
    isinstance(price.constraint, TimeOfDateConstraint)
    for price in (one.model.prices if isinstance(one.model.prices, list) else ())
)]  # fmt: skip


def ours(question: Question) -> int:
    price = stored(question.price)
    return list_cost(question.usage, price.served(question.tier))


def of(name: str, provider: str, tier: str = "", **counts: int) -> Question:
    seller, model = counterpart(chosen(read_source(), [provider]), name)
    return Question(seller, model, translated(model, AT).price, Usage(tier=tier, **counts), tier)


@pytest.mark.parametrize("question", MANY, ids=Question.name)
def test_theirs_is_ours(question: Question) -> None:
    assert ours(question) == in_nano(theirs(question))
    status, words = recomputed(receipt(question.usage, stored(question.price)))
    assert status == 0, words


def test_there_are_enough_and_they_use_everything() -> None:
    assert len(MANY) >= 120
    counts = Counter[str](name for one in MANY for name in _nonzero(one.usage))
    used = {"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "audio_input",
            "audio_output", "image_input", "image_output", "web_search", "second", "character",
            "request"}  # fmt: skip
    assert used <= counts.keys()
    assert {"flex", "priority", "batch"} <= {one.tier for one in MANY}
    above = [
        one for one in MANY for tier in one.price.tiers[:1] if one.usage.tokens_in() > tier.above
    ]
    assert len(above) >= 5


def _nonzero(usage: Usage) -> Iterator[str]:
    return (name for name in usage.__struct_fields__ if getattr(usage, name))


@pytest.mark.parametrize("seed", range(5))
def test_more_random_usages(seed: int) -> None:
    hours = {one.model.id for one in questions(SEED, 1)} - {one.model.id for one in MANY}
    for question in questions(seed, 2):
        if question.model.id not in hours:
            assert ours(question) == in_nano(theirs(question)), question


def test_rounding_is_upwards_and_once() -> None:
    # A cached token of $0.0625/M is 62.5 nano-dollars.
    cached = of("gpt-5", "openai", "flex", cache_read=1)
    assert (ours(cached), theirs(cached) * NANO) == (63, Decimal("62.5"))


def test_a_request_is_charged_where_one_is_counted() -> None:
    none, one = of("sonar", "perplexity"), of("sonar", "perplexity", request=1)
    assert in_nano(theirs(none)) == in_nano(theirs(one)) == ours(one) > ours(none) == 0


def test_hours_are_left_to_a_peak() -> None:
    question = of("deepseek-chat", "deepseek", input=1_000)
    assert ours(question) == in_nano(theirs(question, AT.replace(hour=20)))
    assert ours(question) * 2 == in_nano(theirs(question, AT.replace(hour=12)))


def test_reasoning_is_inside_of_output() -> None:
    question = of("sonar-deep-research", "perplexity", output=1_000, reasoning=400)
    assert ours(question) == in_nano(theirs(question))
    assert ours(question) > in_nano(theirs(question, output_reasoning_tokens=400))


def test_cached_sound_is_cached() -> None:
    question = of("gemini-2.5-flash", "google", cache_read=1_000, audio_input=1)
    assert ours(question) == in_nano(theirs(question))
    apart = {"cache_audio_read_tokens": 1_000, "input_audio_tokens": 1_001}
    assert ours(question) < in_nano(theirs(question, **apart))


def test_output_is_never_given_away() -> None:
    question = of("text-embedding-3-small", "openai", input=10, output=10)
    assert ours(question) == 2 * in_nano(theirs(question))


def test_what_is_not_counted_is_not_charged() -> None:
    question = of("gpt-4o", "openai", input=10)
    assert (
        ours(question) == in_nano(theirs(question)) < in_nano(theirs(question, storage_searches=1))
    )
