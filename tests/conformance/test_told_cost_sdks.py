"""The official SDKs parse answers that tell their cost; it is where their users look for extras."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from google.genai import types

from tests.conformance.platforms import KEYS, NATIVE_MODEL, PLATFORMS, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.sdk_received import anthropic_client, gemini_client, openai_client

WISH = {"usage": {"include": True}}
TURNS = [{"role": "user", "content": "What is a bridge for?"}]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def usage_by_chat(url: str, key: str, model: str, *, stream: bool) -> Any:
    with openai_client(url, key) as client:
        made = client.chat.completions.create(
            model=model, messages=TURNS, stream=stream, extra_body=WISH
        )
        return [chunk.usage for chunk in made if chunk.usage][-1] if stream else made.usage


def usage_by_responses(url: str, key: str, model: str, *, stream: bool) -> Any:
    with openai_client(url, key) as client:
        made = client.responses.create(model=model, input="Hello?", stream=stream, extra_body=WISH)
        return list(made)[-1].response.usage if stream else made.usage


def usage_by_messages(url: str, key: str, model: str, *, stream: bool) -> Any:
    with anthropic_client(url, key) as client:
        made = client.messages.create(
            model=model, messages=TURNS, max_tokens=99, stream=stream, extra_body=WISH
        )
        if not stream:
            return made.usage
        return next(event.usage for event in made if event.type == "message_delta")


CALLS = {"chat": usage_by_chat, "responses": usage_by_responses, "messages": usage_by_messages}


def last_charge(shop: Shop) -> int:
    (row,) = shop.gateway.rows("SELECT charge FROM usage ORDER BY tid DESC LIMIT 1")
    charge: int = row["charge"]
    return charge


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("surface", sorted(CALLS))
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_an_sdk_hands_the_cost_on(shop: Shop, surface: str, platform: str, stream: bool):
    model = NATIVE_MODEL[platform]
    usage = CALLS[surface](shop.gateway.url, KEYS[platform], model, stream=stream)
    assert Decimal(repr(usage.model_extra["cost"])) * 10**9 == last_charge(shop) > 0


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_googles_sdk_parses_it(shop: Shop, platform: str, stream: bool):
    config = types.GenerateContentConfig(http_options=types.HttpOptions(extra_body=WISH))
    asked: dict[str, Any] = {"model": NATIVE_MODEL[platform], "contents": "Hello?"}
    with gemini_client(shop.gateway.url, KEYS[platform]) as client:
        if stream:
            *_, last = client.models.generate_content_stream(**asked, config=config)
        else:
            last = client.models.generate_content(**asked, config=config)
    assert last.usage_metadata.prompt_token_count > 0
    assert last_charge(shop) > 0


def test_vectors_tell_it_to_the_sdk(shop: Shop):
    with openai_client(shop.gateway.url, KEYS["openai"]) as client:
        made = client.embeddings.create(
            model="text-embedding-3-small", input=["one"], encoding_format="float", extra_body=WISH
        )
    assert Decimal(repr(made.usage.model_extra["cost"])) * 10**9 == last_charge(shop) > 0
