"""Proof of what third-party clients learn of a site, without a key and without a secret."""

from tests.services.shop import DEMO, Shop
from tollbridge import __version__


async def test_anybody_learns_what_a_quota_point_is_worth(shop: Shop):
    for secret in ("", DEMO):
        async with shop.client(secret) as client:
            reply = await client.get("/api/status")
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == "*"
        told = reply.json()
        assert (told["success"], told["data"]["version"]) == (True, __version__)
        assert told["data"]["quota_per_unit"] == 500_000
        assert told["data"]["display_in_currency"] is True


async def test_nothing_of_the_catalogue_is_told(shop: Shop):
    async with shop.client("") as client:
        text = (await client.get("/api/status")).text
    for hidden in ("main", "hidden-account", "upstream", "127.0.0.1", "ada@", "sqlite"):
        assert hidden not in text


async def test_switches_of_others_are_off(shop: Shop):
    data = (await shop.get("/api/status"))["data"]
    assert (data["github_oauth"], data["turnstile_check"], data["logo"]) == (False, False, "")
    assert data["public_prices"] is True
    async with shop.client("", public_prices=False) as client:
        closed = (await client.get("/api/status")).json()
    assert closed["data"]["public_prices"] is False
