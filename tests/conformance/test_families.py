"""The official SDKs at the base URLs of every path family: the same calls, the same answers.

A family is a place, not a service: what is asked below /claude or /gemini is what is asked at the
vendor's own paths, whatever platform stands behind the key.
"""

from collections.abc import Iterator
from dataclasses import replace

import anthropic
import httpx2
import openai
import pytest
from google.genai import errors as google

from tests.conformance.platforms import KEYS, MODELS, NATIVE_MODEL, PLATFORMS, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.plain import PLAIN
from tests.services.sdk_calls import CALLS
from tests.services.sdk_received import (
    Received,
    anthropic_client,
    gemini_client,
    openai_client,
)

KEY = KEYS["openai"]
VERSIONS = ["v1", "v1beta", "v1alpha"]
NAMES = sorted(MODELS)
MODEL = "gpt-5.4"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def said(one: Received) -> Received:
    """Return what was received without what differs from call to call: ids, and how it was cut.

    Ids of a history are as long as they happen to be, and the vendor counts them.
    """
    counted = {"tokens_in": bool(one.tokens_in), "pieces": bool(one.pieces)}
    return replace(one, **counted, raw=None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("what", ["text", "tools", "tool_result", "thinks"])
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("surface", "family"), [("messages", "/claude"), ("gemini", "/gemini")])
def test_a_call_means_the_same_in_both_families(shop, surface, family, platform, what, stream):
    ask, key, model = CALLS[surface][what], KEYS[platform], NATIVE_MODEL[platform]
    at_vendors_path = ask(shop.gateway.url, key, model, stream=stream)
    in_family = ask(shop.gateway.url + family, key, model, stream=stream)
    assert said(in_family) == said(at_vendors_path)
    assert in_family.text or in_family.calls
    assert in_family.tokens_in and in_family.tokens_out


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", ["", "/gemini"])
def test_google_sdk_speaks_each_version(shop, family, version, platform):
    url = shop.gateway.url + family
    with gemini_client(url, KEYS[platform], api_version=version) as client:
        asked = {"model": NATIVE_MODEL[platform], "contents": "What is a bridge for?"}
        whole = client.models.generate_content(**asked)
        chunks = list(client.models.generate_content_stream(**asked))
    assert whole.text
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text


def test_openai_sdk_lists_models_with_their_prices(shop):
    with openai_client(shop.gateway.url, KEY) as client:
        models = list(client.models.list())
        one = client.models.retrieve(MODEL)
    assert [model.id for model in models] == NAMES
    assert one in models
    assert one.model_extra is not None
    assert (one.model_extra["context_length"], one.model_extra["max_output_tokens"]) == (
        200_000,
        32_768,
    )
    assert {type(value) for value in one.model_extra["pricing"].values()} == {str}
    assert float(one.model_extra["pricing"]["completion"]) > 0


@pytest.mark.parametrize("family", ["", "/claude"])
@pytest.mark.parametrize("credential", ["api_key", "auth_token"])
def test_anthropic_sdk_lists_models_page_by_page(shop, family, credential):
    http = httpx2.Client(verify=PLAIN, trust_env=False)
    client = anthropic.Anthropic(
        base_url=shop.gateway.url + family,
        http_client=http,
        max_retries=0,
        _strict_response_validation=True,
        **{credential: KEY},
    )
    with client:
        assert [model.id for model in client.models.list(limit=5)] == NAMES
        backwards = client.models.list(limit=5, before_id=NAMES[-1])
        assert backwards.has_more
        assert [model.id for model in backwards.data] == NAMES[-6:-1]
        assert sorted(model.id for model in backwards) == NAMES[:-1]
        one = client.models.retrieve(MODEL)
    assert (one.id, one.type, one.max_input_tokens, one.max_tokens) == (
        *(MODEL, "model"),
        *(200_000, 32_768),
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", ["", "/gemini"])
def test_google_sdk_lists_models_page_by_page(shop, family, version):
    with gemini_client(shop.gateway.url + family, KEY, api_version=version) as client:
        models = list(client.models.list(config={"page_size": 5}))
        one = client.models.get(model=MODEL)
    assert [model.name for model in models] == [f"models/{name}" for name in NAMES]
    assert one in models
    assert (one.display_name, one.input_token_limit, one.output_token_limit) == (
        *(MODEL, 200_000),
        32_768,
    )
    assert one.supported_actions is not None
    assert "generateContent" in one.supported_actions


def test_each_sdk_raises_its_own_errors(shop):
    url = shop.gateway.url
    with openai_client(url, KEY) as client, pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-5.5")
    assert unknown.value.code == "model_not_found"
    with openai_client(url, "sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    for base in (url, f"{url}/claude"):
        with anthropic_client(base, KEY) as client:
            with pytest.raises(anthropic.NotFoundError, match="did you mean"):
                client.models.retrieve("gpt-5.5")
            with pytest.raises(anthropic.BadRequestError, match="'limit'"):
                client.models.list(limit=5_000)
        with anthropic_client(base, "sk-wrong") as client:
            with pytest.raises(anthropic.AuthenticationError) as refused:
                client.models.list()
            assert refused.value.body["error"]["type"] == "authentication_error"
    for base in (url, f"{url}/gemini"):
        for version in VERSIONS:
            with gemini_client(base, "sk-wrong", api_version=version) as client:
                with pytest.raises(google.ClientError) as denied:
                    client.models.list()
                assert (denied.value.code, denied.value.status) == (401, "UNAUTHENTICATED")
