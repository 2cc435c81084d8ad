"""Proof that prices are told exactly, by the token and by the piece."""

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.api.model_prices import price_fields
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Tier
from tollbridge.core.money import Multiplier, parse_usd

ONE = Multiplier(1, 1)


def rates(**dollars: str) -> Rates:
    return Rates.filled({name: parse_usd(text) for name, text in dollars.items()})


def test_tokens_cost_dollars_each_and_what_is_not_priced_costs_its_base():
    price = Price(1, "m", rates(input="2.50", cache_read="0.25", output="10.00", audio_output="20"))
    assert price_fields(price, ONE) == {
        "pricing": {
            "prompt": "0.0000025",
            "completion": "0.00001",
            "input_cache_read": "0.00000025",
            "input_cache_write": "0.0000025",
            "input_cache_write_1h": "0.0000025",
            "audio": "0.0000025",
            "audio_output": "0.00002",
            "image_token": "0.0000025",
            "image_output": "0.00001",
        }
    }


def test_the_channels_multiplier_is_in_all_of_them():
    tier = Tier(200_000, rates(input="5", output="20"))
    price = Price(
        *(1, "m", rates(input="2.50", output="10"), (Tier(400_000, rates(input="7", output="9")), tier)),
        request=10**9, second=2 * 10**9, character=5, web_search=10**7,
        images=(ImagePrice("1024x1024", "high", 2 * 10**8), ImagePrice("*", "*", 10**9)),
    )  # fmt: skip
    shown = price_fields(price, Multiplier.parse("0.15"))
    pricing = shown["pricing"]
    assert (pricing["prompt"], pricing["completion"]) == ("0.000000375", "0.0000015")
    assert (pricing["request"], pricing["second"]) == ("0.15", "0.3")
    assert (pricing["character"], pricing["web_search"]) == ("0.00000000075", "0.0015")
    first, second = pricing["overrides"]
    assert (first["min_prompt_tokens"], first["prompt"]) == (200_001, "0.00000075")
    assert (second["min_prompt_tokens"], second["completion"]) == (400_001, "0.00000135")
    assert first.keys() - second.keys() == set()
    assert shown["image_pricing"] == [
        {"size": "1024x1024", "quality": "high", "price": "0.03"},
        {"size": "*", "quality": "*", "price": "0.15"},
    ]


def test_what_is_sold_by_the_piece_has_no_price_a_token():
    pricing = price_fields(Price(1, "m", Rates.filled({}), request=5), ONE)["pricing"]
    assert (pricing["prompt"], pricing["completion"]) == ("0", "0")
    assert pricing["request"] == "0.000000005"


def test_a_multiplier_that_no_decimal_writes_is_rounded_up():
    price = Price(1, "m", rates(input="1", output="1"))
    assert (
        price_fields(price, Multiplier(1, 3))["pricing"]["prompt"] == "0.000000333333333333333334"
    )


@given(st.integers(0, 10**15), st.integers(0, 10**13))
def test_any_price_is_exact_and_plain(nano, factor):
    multiplier = Multiplier(factor, 10**9)
    text = price_fields(Price(1, "m", Rates.filled({"input": nano, "output": 1})), multiplier)[
        "pricing"
    ]["prompt"]
    assert text.replace(".", "").isdigit()
    with localcontext(prec=60):
        expected = Decimal(nano) / 10**9 / 10**6 * factor / 10**9
        assert Decimal(text) == expected
