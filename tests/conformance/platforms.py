"""Owns a catalogue with a channel of each platform and one key for each, for tests of all surfaces.

Every channel sells the same models, so that any client can be pointed at any platform.
"""

from tests.conformance.oracle import PriceList

PLATFORMS = ("openai", "compatible", "anthropic", "gemini")
KEYS = {name: f"sk-{name:-<40}" for name in PLATFORMS}
MODELS = (
    *("gpt-5.4", "gpt-4.1", "claude-haiku-4-5", "claude-opus-4-6", "gemini-2.5-flash"),
    *("gemini-3-pro-preview", "gpt-image-1", "text-embedding-3-small", "gpt-4o-mini-tts"),
    *("gpt-4o-transcribe", "omni-moderation-latest", "gemini-2.5-flash-image"),
)
PRICES = PriceList.numbered(1)
NATIVE_MODEL = {
    "openai": "gpt-5.4",
    "compatible": "gpt-4.1",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
}
_CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = ["*"]
capabilities = ["images"]
[[channel.account]]
name = "{name}"
base_url = "{vendor}"
secret = "{name}"
compatible = {compatible}
"""


def catalogue(vendor: str) -> str:
    """Return the configuration for a vendor's address."""
    text = "[site]\nallow_private_upstreams = true\n"
    for name in MODELS:
        text += f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
        text += PRICES.toml()
    for name in PLATFORMS:
        compatible = name == "compatible"
        text += _CHANNEL.format(
            name=name,
            platform="openai" if compatible else name,
            vendor=vendor,
            compatible="true" if compatible else "false",
        )
    text += '[[user]]\nemail = "rich@example.com"\ncredit = "500.00"\n'
    for name, secret in KEYS.items():
        text += f'[[user.key]]\nname = "{name}"\nsecret = "{secret}"\nchannel = "{name}"\n'
    return text
