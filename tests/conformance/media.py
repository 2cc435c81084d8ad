"""Owns the catalogue of the media tests: models sold by token, image, character, second and call."""

from typing import Any

from tests.conformance.shop import Shop

PLATFORMS = ("openai", "compatible", "anthropic", "gemini")
KEYS = {name: f"sk-{name:-<40}" for name in (*PLATFORMS, "imageless", "generic")}
MULTIPLIERS = {"openai": (3, 2), "compatible": (4, 5), "gemini": (11, 10)}
# Nano-dollars: a million tokens for buckets, each for all else.
PRICES: dict[str, dict[str, int]] = {
    "gpt-image-1": {
        "input": 5_000_000_007,
        "output": 9_000_000_001,
        "image_input": 10_000_000_003,
        "image_output": 40_000_000_019,
    },
    "tts-1": {"character": 15_001},
    "gpt-4o-mini-tts": {
        "input": 600_000_007,
        "output": 1_000_000_009,
        "audio_output": 12_000_000_011,
    },
    "whisper-1": {"second": 100_003},
    "gpt-4o-transcribe": {
        "input": 2_500_000_013,
        "output": 10_000_000_033,
        "audio_input": 6_000_000_029,
    },
    "text-embedding-3-small": {"input": 20_000_003, "output": 20_000_003},
    "gemini-embedding-001": {"input": 150_000_011, "output": 150_000_011},
    "omni-moderation-latest": {"request": 1_000_007},
    "gemini-2.5-flash-image": {
        "input": 300_000_001,
        "output": 2_500_000_003,
        "image_output": 30_000_000_007,
    },
}
IMAGES = {
    ("1024x1024", "standard"): 40_000_007,
    ("1792x1024", "*"): 80_000_011,
    ("*", "*"): 99_000_001,
}
_DALL_E = """
[[model]]
name = "dall-e-3"
context = 4000
max_output = 1
sizes = ["1024x1024", "1792x1024"]
n_max = 2
prompt_max = 40
image = [{rows}]
"""
_CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = ["*"]
multiplier = "{multiplier}"
capabilities = [{capabilities}]
[[channel.account]]
name = "{name}"
base_url = "{vendor}"
secret = "{name}"
compatible = {compatible}
"""


def usd(nano: int) -> str:
    """Return nano-dollars as a configuration says them."""
    return f"{nano // 10**9}.{nano % 10**9:09d}"


def catalogue(vendor: str) -> str:
    """Return the configuration for a vendor's address."""
    text = "[site]\nallow_private_upstreams = true\n"
    for name, prices in PRICES.items():
        text += f'[[model]]\nname = "{name}"\ncontext = 100000\nmax_output = 32768\n'
        text += "text_max = 300\n" if "tts" in name else ""
        text += "".join(f'{item} = "{usd(nano)}"\n' for item, nano in prices.items())
    rows = ", ".join(
        f'{{size = "{size}", quality = "{quality}", price = "{usd(nano)}"}}'
        for (size, quality), nano in IMAGES.items()
    )
    text += _DALL_E.format(rows=rows)
    for name in KEYS:
        platform = name if name in {"anthropic", "gemini"} else "openai"
        num, den = MULTIPLIERS.get(name, (1, 1))
        text += _CHANNEL.format(
            name=name,
            platform=platform,
            vendor=vendor,
            multiplier=f"{num / den:.2f}",
            capabilities="" if name == "imageless" else '"images"',
            compatible="true" if name == "compatible" else "false",
        )
    text += '[[user]]\nemail = "rich@example.com"\ncredit = "500.00"\n'
    for name, secret in KEYS.items():
        text += f'[[user.key]]\nname = "{name}"\nsecret = "{secret}"\nchannel = "{name}"\n'
    return text


def last(shop: Shop, name: str) -> dict[str, Any]:
    """Return the receipt of the latest call."""
    (row,) = shop.gateway.rows("SELECT tid FROM usage ORDER BY tid DESC LIMIT 1")
    return shop.receipt(KEYS[name], row["tid"])


def charged(receipt: dict[str, Any]) -> int:
    """Return what a receipt asks for, in nano-dollars."""
    whole, _, part = receipt["charge"].partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


def cost(model: str, name: str, **counts: int) -> int:
    """Return ceil(sum of counts x prices x multiplier), in nano-dollars."""
    prices, (num, den) = PRICES[model], MULTIPLIERS.get(name, (1, 1))
    each = {"character", "second", "request"}
    parts = sum(
        count * prices.get(item, prices.get("input", 0)) * (1_000_000 if item in each else 1)
        for item, count in counts.items()
    )
    return -(-parts * num // (den * 1_000_000))
