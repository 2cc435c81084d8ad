"""Proof that a key is shown what it can call, and nothing else, under exact names."""

import pytest

from tests.services.shop import AUTO, DEMO, Shop


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
    expected = {"id": "gpt-5.4", "object": "model", "created": 1735689600, "owned_by": "openai"}
    assert await shop.get("/v1/models/gpt-5.4") == expected
    assert (await shop.get("/v1/models"))["data"] == [expected]


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
