"""Proof of what a test asks: the cheapest text, a word to embed, or the list that costs nothing."""

import msgspec
import pytest

from tests.relay.calls import account, channel, model, price, snapshot
from tollbridge.catalog.prices import ImagePrice, Rates
from tollbridge.core.errors import Surface
from tollbridge.relay.question import question
from tollbridge.relay.routes import match


def sold(name: str, output: int = 10, **values):
    rates = Rates.filled({"input": 1, "output": output})
    return model(name, price=price(rates=rates, **values))


def asked(*models, wish=None, surfaces=frozenset(Surface), **values):
    one = account(**values)
    names = [each.name for each in models]
    shop = channel(models=names, accounts=(one,), platform=one.platform, surfaces=surfaces)
    return question(snapshot(shop, models=models), shop, one, wish)


@pytest.mark.parametrize(
    ("platform", "path", "limit"),
    [
        ("openai", "/v1/chat/completions", {"max_completion_tokens": 16}),
        ("anthropic", "/v1/messages", {"max_tokens": 1}),
        ("gemini", "/v1beta/models/a:generateContent", {"maxOutputTokens": 1}),
    ],
)
def test_one_word_in_the_platforms_own_words(platform, path, limit):
    found = asked(sold("a"), platform=platform)
    assert (found.path, found.name, match(found.path) is not None) == (path, "a", True)
    body = msgspec.json.decode(found.body)
    assert limit.items() <= {**body, **body.get("generationConfig", {})}.items()


def test_a_compatible_vendor_is_asked_by_the_older_name_of_the_limit():
    assert b'"max_tokens":16' in asked(sold("a"), compatible=True).body


def test_a_channel_of_responses_alone_is_asked_for_one():
    found = asked(sold("a"), surfaces=frozenset({Surface.RESPONSES, Surface.MEDIA}))
    assert found.path == "/v1/responses"
    assert msgspec.json.decode(found.body)["store"] is False


def test_the_cheapest_model_that_writes_text_is_asked():
    models = [
        sold("dear"),
        sold("cheap", 2),
        sold("text-embedding-a", 0),
        sold("painted", 1, images=(ImagePrice("*", "*", 5),)),
        sold("spoken", 1, second=7),
        sold("gpt-image-9", 1),
    ]
    assert asked(*models).name == "cheap"


def test_what_writes_no_text_embeds_or_lists():
    vectors, pictures = sold("text-embedding-a", 0), sold("gpt-image-9", 1)
    assert asked(vectors, pictures).path == "/v1/embeddings"
    found = asked(vectors, platform="gemini")
    assert found.path == "/v1beta/models/text-embedding-a:embedContent"
    for platform, path in (("openai", "/v1/models"), ("gemini", "/v1beta/models")):
        found = asked(pictures, platform=platform)
        assert (found.path, found.model, found.body) == (path, None, b"")


def test_a_wish_is_asked_where_it_is_sold():
    models = [sold("a", 1), sold("b"), sold("text-embedding-a"), sold("o9-*")]
    assert asked(*models, wish="b").name == "b"
    assert asked(*models, wish="o9-mini").name == "o9-mini"
    assert asked(*models, wish="text-embedding-a").path == "/v1/embeddings"
    with pytest.raises(ValueError, match="does not sell"):
        asked(*models, wish="c")
