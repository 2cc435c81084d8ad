"""Proof that a key is shown what it can call, and nothing else, under exact names."""

import pytest

from tests.services.shop import AUTO, DEMO, Shop

SHAPE_OF_ERROR = {
    "openai": {"message", "type", "param", "code", "status", "tid"},
    "anthropic": {"type", "message"},
    "gemini": {"code", "message", "status", "details"},
}


async def names(shop: Shop, secret: str) -> list[str]:
    reply = await shop.get("/v1/models", secret)
    assert reply["object"] == "list"
    return [model["id"] for model in reply["data"]]


async def test_a_bound_key_sees_its_channels_priced_models(shop: Shop):
    assert await names(shop, DEMO) == ["gpt-5.4"]


async def test_an_auto_key_sees_every_channel_of_its_group_once(shop: Shop):
    assert await names(shop, AUTO) == ["GPT-small", "gpt-5.4"]


async def test_a_keys_own_list_narrows_it_and_names_what_a_wildcard_serves(shop: Shop):
    await shop.change_key(AUTO, models='["GPT-small","o9-mini","o9-vip","other","unpriced"]')
    assert await names(shop, AUTO) == ["GPT-small", "o9-mini", "o9-vip"]


async def test_a_model_has_the_shape_of_openai(shop: Shop):
    model = await shop.get("/v1/models/gpt-5.4")
    assert (await shop.get("/v1/models"))["data"] == [model]
    assert (model["id"], model["object"], model["owned_by"]) == ("gpt-5.4", "model", "openai")
    assert (model["context_length"], model["max_output_tokens"]) == (400_000, 128_000)


async def test_the_price_is_that_of_the_channel_a_call_goes_to(shop: Shop):
    # 2.50 and 10.00 a million at 0.15; `small` sells it too, at 1.0.
    for secret in (DEMO, AUTO):
        pricing = (await shop.get("/v1/models/gpt-5.4", secret))["pricing"]
        assert (pricing["prompt"], pricing["completion"]) == ("0.000000375", "0.0000015")
        assert pricing["input_cache_read"] == "0.0000000375"
    await shop.change_channel("main", enabled=False)
    (_, model) = (await shop.get("/v1/models", AUTO))["data"]
    assert model["pricing"]["prompt"] == "0.0000025"


@pytest.mark.parametrize(
    ("path", "headers", "shape"),
    [
        ("/v1/models", {"authorization": "Bearer {}"}, "openai"),
        ("/v1/models", {"x-api-key": "{}"}, "anthropic"),
        ("/v1/models", {"authorization": "Bearer {}", "anthropic-version": "1"}, "anthropic"),
        ("/v1/models", {"x-goog-api-key": "{}"}, "gemini"),
        ("/v1/models?key={}", {}, "gemini"),
        ("/claude/v1/models", {"authorization": "Bearer {}"}, "anthropic"),
        ("/claude/v1/models?key={}", {}, "anthropic"),
        ("/v1beta/models", {"authorization": "Bearer {}"}, "gemini"),
        ("/v1alpha/models", {"x-api-key": "{}"}, "gemini"),
        ("/gemini/v1/models", {"x-goog-api-key": "{}"}, "gemini"),
        ("/gemini/v1beta/models", {"x-api-key": "{}", "anthropic-version": "1"}, "gemini"),
        ("/gemini/v1alpha/models", {"x-api-key": "{}"}, "gemini"),
    ],
)
async def test_each_family_has_its_shape(shop: Shop, path: str, headers: dict, shape: str):
    sent = {name: value.format(AUTO) for name, value in headers.items()}
    where, _, query = path.format(AUTO).partition("?")
    query = query and f"?{query}"
    async with shop.client("") as client:
        listing = (await client.get(f"{where}{query}", headers=sent)).json()
        one = await client.get(f"{where}/gpt-5.4{query}", headers=sent)
        missing = await client.get(f"{where}/gpt-5{query}", headers=sent)
        keyless = await client.get(where, headers=dict.fromkeys(sent, "wrong"))
    models = listing["models" if shape == "gemini" else "data"]
    assert one.json() in models
    named = {"openai": "id", "anthropic": "id", "gemini": "displayName"}[shape]
    assert [model[named] for model in models] == ["GPT-small", "gpt-5.4"]
    assert ("object" in listing, "has_more" in listing) == (shape == "openai", shape == "anthropic")
    assert (missing.status_code, keyless.status_code) == (404, 401)
    assert SHAPE_OF_ERROR[shape] == missing.json()["error"].keys()
    if sent:
        assert SHAPE_OF_ERROR[shape] == keyless.json()["error"].keys()


@pytest.mark.parametrize(
    ("path", "param"),
    [("/claude/v1/models?limit=0", "limit"), ("/v1beta/models?pageToken=%00", "pageToken")],
)
async def test_a_wrong_page_is_refused_in_the_familys_shape(shop: Shop, path: str, param: str):
    async with shop.client() as client:
        reply = await client.get(path)
    assert reply.status_code == 400
    assert param in reply.json()["error"]["message"]
    shape = "anthropic" if "claude" in path else "gemini"
    assert SHAPE_OF_ERROR[shape] == reply.json()["error"].keys()


async def test_pages_follow_one_another(shop: Shop):
    first = await shop.get("/claude/v1/models?limit=1", AUTO)
    second = await shop.get(f"/claude/v1/models?limit=1&after_id={first['last_id']}", AUTO)
    assert [page["data"][0]["id"] for page in (first, second)] == ["GPT-small", "gpt-5.4"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    first = await shop.get("/v1beta/models?pageSize=1", AUTO)
    second = await shop.get(f"/v1beta/models?pageToken={first['nextPageToken']}", AUTO)
    assert [page["models"][0]["name"] for page in (first, second)] == [
        "models/GPT-small",
        "models/gpt-5.4",
    ]


async def test_a_model_that_a_wildcard_serves_can_be_looked_up(shop: Shop):
    assert (await shop.get("/v1/models/o9-any/thing"))["id"] == "o9-any/thing"


@pytest.mark.parametrize(
    "name",
    ["GPT-5.4", "unpriced", "worthless", "GPT-small", "o9-*", "nothing", "gpt-5.4/", "a%20b"],
)
async def test_other_models_are_unknown(shop: Shop, name: str):
    async with shop.client(DEMO) as client:
        reply = await client.get(f"/v1/models/{name}")
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "model_not_found"


async def test_the_nearest_name_is_told(shop: Shop):
    async with shop.client(DEMO) as client:
        reply = await client.get("/v1/models/GPT-5.4")
    assert "did you mean gpt-5.4?" in reply.json()["error"]["message"]


async def test_a_keys_own_list_hides_the_others(shop: Shop):
    await shop.change_key(DEMO, models='["o9-mini"]')
    async with shop.client(DEMO) as client:
        assert (await client.get("/v1/models/gpt-5.4")).status_code == 404
        assert (await client.get("/v1/models/o9-mini")).status_code == 200


async def test_a_key_of_a_disabled_channel_is_told_so(shop: Shop):
    await shop.change_channel("main", enabled=False)
    async with shop.client(DEMO) as client:
        for path in ("/v1/models", "/v1/models/gpt-5.4"):
            reply = await client.get(path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (403, "channel_disabled")
    assert await names(shop, AUTO) == ["GPT-small", "gpt-5.4"]


async def test_a_trailing_slash_is_a_wrong_path_that_names_the_right_one(shop: Shop):
    async with shop.client(DEMO) as client:
        reply = await client.get("/v1/models/")
    assert reply.status_code == 404
    assert "did you mean /v1/models?" in reply.json()["error"]["message"]
