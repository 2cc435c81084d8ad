"""Calls of every surface through a real gateway cost what the price book says, to the nano-dollar.

Channel 1.5 x group 0.9 x peak 2 = 2.7 on every call; service tiers by what the answer names. Each
receipt is worked out again by the script of `tools/`, which knows the receipt alone.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conformance.shop import Shop, open_shop

SCRIPT = Path(__file__).parents[2] / "tools" / "recompute_receipt.py"
KEYS = {name: f"sk-{name:-<40}" for name in ("openai", "anthropic", "gemini", "auto", "plain")}
# Nano-dollars a token by tier: (input, cache read, output); no two alike, in no relation.
RATES = {"": (2_503, 251, 10_007), "flex": (1_249, 127, 5_003), "priority": (4_409, 449, 17_011)}
LATER = (3_001, 301, 12_007)
FULL = 27, 10
FACTORS = [{"of": "channel", "factor": "1.5"}, {"of": "group", "factor": "0.9"},
           {"of": "peak", "factor": "2.0"}]  # fmt: skip
PROMPT, CACHED, MADE = 331, 100, 7
SCRIPTED = {"text": "one two three four five six seven", "tokens": MADE, "prompt_tokens": PROMPT,
            "cached_tokens": CACHED}  # fmt: skip
_PEAK = 'peak = {from = "00:00", to = "24:00", zone = "Asia/Kolkata", factor = "2"}\n'


def priced(rates: tuple[int, int, int]) -> str:
    """Return what a million tokens cost, in dollars."""
    names = ("input", "cache_read", "output")
    texts = (f"{rate // 1000}.{rate % 1000:03d}" for rate in rates)
    return ", ".join(f'{name} = "{text}"' for name, text in zip(names, texts, strict=True))


def model(name: str, more: str = "") -> str:
    services = ", ".join(
        f'{{name = "{tier}", {priced(RATES[tier])}}}' for tier in ("flex", "priority")
    )
    prices = priced(RATES[""]).replace(", ", "\n")
    head = f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n{prices}\n'
    return f"{head}services = [{services}]\n{more}"


def channel(name: str, vendor: str, platform: str, multiplier: str, peak: str) -> str:
    head = f'[[channel]]\nname = "{name}"\nplatform = "{platform}"\nmodels = ["*"]\n'
    account = f'[[channel.account]]\nname = "{name}"\nbase_url = "{vendor}"\nsecret = "{name}"\n'
    groups = 'groups = ["vip"]\n' if name == "openai" else 'groups = ["default"]\n'
    return f'{head}multiplier = "{multiplier}"\n{groups}{peak}{account}'


def catalogue(vendor: str, later: str = "") -> str:
    text = "[site]\nallow_private_upstreams = true\n"
    text += model("steady-1") + model("coming-1", later)
    for platform in ("openai", "anthropic", "gemini"):
        text += channel(platform, vendor, platform, "1.5", _PEAK)
    # For users of no group: the second looks cheaper, but not in its peak hours, which is always.
    text += channel("even", vendor, "openai", "1.9", "") + channel(
        "peaky", vendor, "openai", "1.2", _PEAK
    )
    text += '[[group]]\nname = "vip"\nfactor = "0.9"\n'
    text += '[[user]]\nemail = "vip@example.com"\ngroup = "vip"\ncredit = "500.00"\n'
    for name in ("openai", "anthropic", "gemini"):
        text += f'[[user.key]]\nname = "{name}"\nsecret = "{KEYS[name]}"\nchannel = "{name}"\n'
    text += f'[[user.key]]\nname = "auto"\nsecret = "{KEYS["auto"]}"\n'
    text += '[[user]]\nemail = "plain@example.com"\ncredit = "500.00"\n'
    return text + f'[[user.key]]\nname = "plain"\nsecret = "{KEYS["plain"]}"\n'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def due(rates: tuple[int, int, int], num: int = FULL[0], den: int = FULL[1]) -> int:
    """Return ceil((231 x input + 100 x cached + 7 x output) x num / den), in nano-dollars."""
    subtotal = (PROMPT - CACHED) * rates[0] + CACHED * rates[1] + MADE * rates[2]
    return -(-subtotal * num // den)


TURNS = [{"role": "user", "content": "What is a bridge for?"}]
CONTENTS = [{"role": "user", "parts": [{"text": "What is a bridge for?"}]}]
SURFACES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "/v1/chat/completions", {"messages": TURNS}),
    "responses": ("openai", "/v1/responses", {"input": "What is a bridge for?"}),
    "messages": ("anthropic", "/v1/messages", {"messages": TURNS, "max_tokens": 500}),
    "gemini": ("gemini", "/v1beta/models/{model}:{verb}", {"contents": CONTENTS}),
}


def ask(
    shop: Shop, surface: str, *, stream: bool = False, key: str = "", name: str = "steady-1",
    tier: str | None = None,
) -> httpx2.Response:  # fmt: skip
    platform, path, body = SURFACES[surface]
    script = {**SCRIPTED, **({} if tier is None else {"tier": tier})}
    body = {**body, "model": name, "fake": script, **({"stream": True} if stream else {})}
    if surface == "gemini":
        del body["model"]
        body.pop("stream", None)
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = path.format(model=name, verb=verb)
    told = shop.call(KEYS[key or platform], path, json.dumps(body).encode())
    assert told.status_code == 200, told.text
    return told


def receipt_of(shop: Shop, told: httpx2.Response, key: str) -> dict[str, Any]:
    """Return the call's receipt, which the script must be able to work out."""
    receipt = shop.receipt(KEYS[key], told.headers["x-request-id"])
    done = subprocess.run(  # our own script, with the receipt on its input
        [sys.executable, str(SCRIPT)], input=json.dumps(receipt), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return receipt


def nano(text: str) -> int:
    whole, decimals = text.split(".")
    return int(whole) * 10**9 + int(decimals.ljust(9, "0"))


@pytest.mark.parametrize("surface", sorted(SURFACES))
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("tier", [None, "flex", "priority", "default", "unheard-of"])
def test_a_call_costs_its_tier_and_all_factors(
    shop: Shop, surface: str, stream: bool, tier: str | None
):
    told = ask(shop, surface, stream=stream, tier=tier)
    platform = SURFACES[surface][0]
    receipt = receipt_of(shop, told, platform)
    assert receipt["counts"] == {"input": PROMPT - CACHED, "cache_read": CACHED, "output": MADE}
    assert nano(receipt["charge"]) == due(RATES[tier if tier in RATES else ""])
    assert receipt["multiplier"] == "2.7"
    assert receipt["multipliers"] == FACTORS
    assert receipt["service_tier"] == (None if tier in {None, "default"} else tier)
    assert (receipt["end_state"], receipt["adjustments"]) == ("complete", [])


def test_an_auto_key_of_the_group_pays_all_factors_too(shop: Shop):
    receipt = receipt_of(shop, ask(shop, "chat", key="auto", tier="flex"), "auto")
    assert (receipt["channel"], nano(receipt["charge"])) == ("openai", due(RATES["flex"]))
    assert receipt["multipliers"] == FACTORS


def test_an_auto_key_goes_where_it_is_cheapest_at_that_hour(shop: Shop):
    # 1.9 against 1.2 x 2.
    receipt = receipt_of(shop, ask(shop, "chat", key="plain"), "plain")
    assert (receipt["channel"], receipt["multiplier"]) == ("even", "1.9")
    assert receipt["multipliers"] == [{"of": "channel", "factor": "1.9"}]
    assert nano(receipt["charge"]) == due(RATES[""], 19, 10)


def test_a_call_that_came_to_nothing_shows_its_factors(shop: Shop):
    body = {"model": "steady-1", "messages": TURNS, "fake": {"status": 500}}
    told = shop.call(KEYS["openai"], "/v1/chat/completions", json.dumps(body).encode())
    receipt = receipt_of(shop, told, "openai")
    assert (receipt["charge"], receipt["multiplier"]) == ("0.00", "2.7")
    assert receipt["multipliers"] == FACTORS


def test_the_list_of_models_says_what_the_group_pays(shop: Shop):
    def pricing(key: str) -> dict[str, str]:
        headers = {"authorization": f"Bearer {KEYS[key]}"}
        listed = shop.http.get("/v1/models", headers=headers).json()["data"]
        assert [one["id"] for one in listed] == ["coming-1", "steady-1"]
        shown: dict[str, str] = listed[1]["pricing"]
        return shown

    # Without the hour's factor, which is not what it always is: 2503 x 1.5 x 0.9, 2503 x 1.2.
    assert pricing("openai")["prompt"] == pricing("auto")["prompt"] == "0.00000337905"
    assert pricing("plain")["prompt"] == "0.0000030036"


def test_a_later_price_begins_by_itself(shop: Shop):
    from_s = int(time.time()) + 4
    begins = datetime.fromtimestamp(from_s, UTC).isoformat()
    rows = f"[[model.price]]\nfrom = {begins}\n" + priced(LATER).replace(", ", "\n") + "\n"
    shop.gateway.apply(catalogue(shop.vendor.url, rows))
    version = shop.gateway.rows("SELECT version FROM change")
    old, new = due(RATES[""]), due(LATER)
    receipts: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while not receipts or nano(receipts[-1]["charge"]) != new:
        assert time.monotonic() < deadline, "the later price never began"
        receipts.append(receipt_of(shop, ask(shop, "chat", name="coming-1"), "openai"))
        time.sleep(0.05)
    # Nobody changed anything, and no call was charged the new price before its time.
    assert shop.gateway.rows("SELECT version FROM change") == version
    assert {nano(one["charge"]) for one in receipts[:-1]} == {old}
    assert nano(receipts[0]["charge"]) == old
    assert datetime.fromisoformat(receipts[-1]["time"]).timestamp() >= from_s
    # Each receipt keeps the price that its call was let in at.
    for receipt in (receipts[0], receipts[-1]):
        assert shop.receipt(KEYS["openai"], receipt["tid"]) == receipt
    # What is applied again changes nothing, and neither does the service tier follow along.
    assert "nothing to change" in shop.gateway.apply(catalogue(shop.vendor.url, rows))
    flex = receipt_of(shop, ask(shop, "chat", name="coming-1", tier="flex"), "openai")
    assert (flex["service_tier"], nano(flex["charge"])) == ("flex", new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('factor = "0.9"', 'factor = "5.1"', "factor must be above 0 and at most 5"),
        ('zone = "Asia/Kolkata"', 'zone = "Asia/Nowhere"', "zone: there is no such time zone"),
        ('{name = "flex"', '{name = "standard"', "the usual one has the model's own prices"),
        ("# later", "[[model.price]]\nfrom = 2031-01-01", "a later price must price something"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(shop: Shop, old: str, new: str, said: str):
    text = catalogue(shop.vendor.url, "# later\n")
    line = text[: text.index(old)].count("\n") + 1
    file = shop.gateway.folder / "wrong.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = shop.gateway.run("apply", str(file))
    assert done.returncode != 0
    assert f"line {line}: " in done.stderr
    assert said in done.stderr
