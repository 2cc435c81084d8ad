"""Proof that third-party tools read our prices right, and see no more than they may."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import channel, model, price, snapshot
from tests.services.shop import AUTO, DEMO, Shop
from tollbridge.api.app import make_api
from tollbridge.api.price_list import prices_for
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.prices import Rates
from tollbridge.core.money import NANO, Multiplier

PATH = "/api/pricing"


async def listed(shop: Shop, secret: str = "", **services: Any) -> dict[str, Any]:
    async with shop.client(secret, **services) as client:
        reply = await client.get(PATH)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    told: dict[str, Any] = json.loads(reply.text, parse_float=Decimal)
    return told


def by_name(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["model_name"]: one for one in told["data"]}


async def test_anybody_sees_what_the_group_default_may_call(each_shop: Shop):
    told = await listed(each_shop)
    assert told["success"] is True
    assert list(by_name(told)) == ["GPT-small", "gpt-5.4"]
    assert (told["group_ratio"], told["usable_group"]) == ({"default": 1}, {"default": "default"})
    # 2.50 $ and 10 $ a million tokens, 0.25 $ cached, at 0.15.
    large = by_name(told)["gpt-5.4"]
    assert large["model_ratio"] == Decimal("0.1875")
    assert (large["completion_ratio"], large["cache_ratio"]) == (4, Decimal("0.1"))
    assert (large["quota_type"], large["model_price"]) == (0, 0)
    assert (large["enable_groups"], large["owner_by"]) == (["default"], "openai")
    assert "openai" in large["supported_endpoint_types"]
    assert (large["channel"], large["multiplier"]) == ("main", "0.15")
    assert large["pricing"]["prompt"] == "0.000000375"
    for hidden in ("hidden-account", "upstream", "vip", "127.0.0.1"):
        assert hidden not in json.dumps(told, default=str)


async def test_a_key_sees_its_own_view(each_shop: Shop):
    assert list(by_name(await listed(each_shop, DEMO))) == ["gpt-5.4"]
    await each_shop.change_key(AUTO, models='["GPT-small", "o9-mini"]')
    assert list(by_name(await listed(each_shop, AUTO))) == ["GPT-small", "o9-mini"]


async def test_a_list_follows_the_catalogue(shop: Shop):
    world = {"now": shop.services.snapshot()}
    app = make_api(replace(shop.services, snapshot=lambda: world["now"]))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        before = (await client.get(PATH)).json()
        assert (await client.get(PATH)).json() == before
        await shop.change_channel("main", multiplier_num=3, multiplier_den=10)
        world["now"] = shop.services.snapshot()
        after = by_name((await client.get(PATH)).json())
        assert after["gpt-5.4"]["model_ratio"] == 0.375 != by_name(before)["gpt-5.4"]["model_ratio"]
        narrow = {"authorization": f"Bearer {DEMO}"}
        assert len((await client.get(PATH, headers=narrow)).json()["data"]) == 1


@pytest.mark.parametrize("secret", [DEMO, ""])
async def test_prices_can_be_closed_to_the_public(shop: Shop, secret: str):
    async with shop.client(secret, public_prices=False) as client:
        reply = await client.get(PATH)
    assert reply.status_code == (200 if secret else 401)
    assert bool(reply.json().get("data")) is bool(secret)


async def test_a_wrong_key_is_no_member_of_the_public(shop: Shop):
    async with shop.client("sk-wrong") as client:
        assert (await client.get(PATH)).status_code == 401


def told_of(rates: dict[str, int], **values: Any) -> dict[str, Any]:
    """Return the list of a catalogue with one model at these rates."""
    group = values.pop("group", None)
    filled = Rates.filled(rates and {"output": 0, **rates})
    sold = model("m", price=price(rates=filled, **values.pop("price", {})))
    world = snapshot(channel(models=["m"], **values), models=(sold,))
    if group is not None:
        object.__setattr__(world, "groups", {"default": group})
    shown = prices_for(world, None, "default", frozenset())
    return json.loads(json.dumps(shown, default=lambda raw: float(bytes(raw))))


def test_a_groups_factor_stands_beside_the_ratios_and_in_the_exact_price():
    told = told_of({"input": 2 * NANO}, group=Multiplier(9, 10))
    (line,) = told["data"]
    assert (told["group_ratio"], line["model_ratio"]) == ({"default": 0.9}, 1)
    assert (line["multiplier"], line["pricing"]["prompt"]) == ("0.9", "0.0000018")


def test_what_is_sold_by_the_call_says_so():
    (line,) = told_of({}, price={"request": NANO // 4})["data"]
    assert (line["quota_type"], line["model_price"], line["model_ratio"]) == (1, 0.25, 0)
    (line,) = told_of({"input": NANO}, price={"request": NANO // 4})["data"]
    assert (line["quota_type"], line["model_price"]) == (0, 0.25)


def test_peak_hours_are_told():
    peak = Peak(540, 1_080, frozenset({0, 4}), "Europe/Berlin", Multiplier(3, 2))
    (line,) = told_of({"input": NANO}, peak=peak)["data"]
    assert line["peak"] == {
        "from": "09:00", "to": "18:00", "days": ["mon", "fri"], "zone": "Europe/Berlin",
        "factor": "1.5",
    }  # fmt: skip


RATES = st.integers(0, 10**12)


@given(input_=RATES, output=RATES, num=st.integers(1, 5_000), places=st.integers(0, 3))
def test_a_tool_that_multiplies_comes_to_our_prices(
    input_: int, output: int, num: int, places: int
):
    """One token costs ratio x group ratio / 500,000 dollars to who reads ratios."""
    rates = {"input": input_, "output": output}
    if not input_ + output:
        return
    sold = model("m", price=price(rates=Rates.filled(rates)))
    world = snapshot(channel(models=["m"], multiplier=Multiplier(num, 10**places)), models=(sold,))
    (line,) = prices_for(world, None, "default", frozenset())["data"]
    model_ratio = Decimal(bytes(line["model_ratio"]).decode())
    completion = Decimal(bytes(line["completion_ratio"]).decode())
    true = Decimal(input_ * num) / 10**places / 10**15
    assert model_ratio / 500_000 == true
    if input_:
        made = Decimal(output * num) / 10**places / 10**15
        assert abs(model_ratio * completion / 500_000 - made) <= Decimal(10) ** -18
    else:
        assert completion == 0
