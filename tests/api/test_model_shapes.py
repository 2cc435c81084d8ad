"""Proof that a model is shown as each vendor's own types have it."""

from dataclasses import replace

from anthropic.types import ModelInfo
from openai.types import Model as OpenAiModel

from tollbridge.api.model_shapes import Offer, listed, shown
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Channel, Model
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier

CHANNEL = Channel(
    id=1, name="c", platform="gemini", surfaces=frozenset(Surface), models=frozenset(),
    multiplier=Multiplier.parse("2.0"), capabilities=frozenset(), client_policy="any",
    groups=frozenset({"*"}), enabled=True, accounts=(),
)  # fmt: skip
PRICE = Price(1, "m", Rates.filled({"input": 10**9, "output": 2 * 10**9}))


def offer(name: str = "m", channel: Channel = CHANNEL) -> Offer:
    return Offer(name, Model(1, name, 200_000, 32_000, PRICE), channel, channel.multiplier)


OFFERS = {name: offer(name) for name in ("a", "b", "c")}


def test_openais_with_limits_and_the_channels_prices():
    one = shown(Surface.CHAT, offer())
    read = OpenAiModel.model_validate(one)
    assert (read.id, read.owned_by, read.created) == ("m", "gemini", 1_735_689_600)
    assert (one["context_length"], one["max_output_tokens"]) == (200_000, 32_000)
    assert (one["pricing"]["prompt"], one["pricing"]["completion"]) == ("0.000002", "0.000004")
    assert shown(Surface.RESPONSES, offer()) == shown(Surface.MEDIA, offer()) == one
    listing = listed(Surface.CHAT, OFFERS, {"limit": "1"})
    assert [each["id"] for each in listing["data"]] == ["a", "b", "c"]
    assert listing["object"] == "list"


def test_anthropics_and_its_pages():
    one = shown(Surface.MESSAGES, offer())
    read = ModelInfo.model_validate(one, strict=False)
    assert (read.id, read.max_input_tokens, read.max_tokens) == ("m", 200_000, 32_000)
    assert one.keys() == ModelInfo.model_fields.keys()
    listing = listed(Surface.MESSAGES, OFFERS, {"limit": "2"})
    assert [each["id"] for each in listing.pop("data")] == ["a", "b"]
    assert listing == {"has_more": True, "first_id": "a", "last_id": "b"}
    assert listed(Surface.MESSAGES, {}, {}) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_googles_and_its_pages():
    one = shown(Surface.GEMINI, offer())
    assert one == {
        "name": "models/m",
        "version": "001",
        "displayName": "m",
        "inputTokenLimit": 200_000,
        "outputTokenLimit": 32_000,
        "supportedGenerationMethods": ("generateContent", "streamGenerateContent", "countTokens"),
    }
    page = listed(Surface.GEMINI, OFFERS, {"pageSize": "2"})
    assert [each["displayName"] for each in page["models"]] == ["a", "b"]
    rest = listed(Surface.GEMINI, OFFERS, {"pageToken": page["nextPageToken"]})
    assert [each["displayName"] for each in rest["models"]] == ["c"]
    assert "nextPageToken" not in rest


def test_methods_are_those_that_can_be_called():
    embedding = shown(Surface.GEMINI, offer("text-embedding-3"))
    assert embedding["supportedGenerationMethods"] == ("embedContent", "batchEmbedContents")
    closed = replace(CHANNEL, surfaces=frozenset({Surface.CHAT}))
    assert shown(Surface.GEMINI, offer(channel=closed))["supportedGenerationMethods"] == ()
    assert shown(Surface.GEMINI, offer("text-embed", closed))["supportedGenerationMethods"] == ()
