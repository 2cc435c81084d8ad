"""Owns the shop in which endpoints are sold as they are: an account of each vendor, priced by the call."""

PIN = "sk-pin-0123456789-0123456789-0123456789-01"
LOCKED = "sk-locked-0123456789-0123456789-0123456789"
FEW = "sk-few-0123456789-0123456789-0123456789-01"
POOR = "sk-poor-0123456789-0123456789-0123456789-1"
SLOW = "sk-slow-0123456789-0123456789-0123456789-1"

MODELS = """
[site]
allow_private_upstreams = true
error_profile = "{profile}"

[[model]]
name = "gpt-test"
context = 200000
max_output = 32768
input = "2.50"
output = "10.00"

[[model]]
name = "*"
context = 1000
max_output = 1000
input = "1.00"
output = "1.00"

[[model]]
name = "/v1*"
request = "0.001"

[[model]]
name = "/v1/files/{{id}}/content"
request = "0.02"

[[model]]
name = "/v1/batches*"
request = "0"
"""
CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = {models}
multiplier = "{multiplier}"
rpm = {rpm}

[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "{name}-one"

[[channel.account]]
name = "two"
base_url = "{vendor}"
secret = "{name}-two"
"""
USERS = f"""
[[user]]
email = "user@example.com"
credit = "20.00"

[[user.key]]
name = "pin"
secret = "{PIN}"
may_pin = true

[[user.key]]
name = "locked"
secret = "{LOCKED}"
channel = "openai"

[[user.key]]
name = "few"
secret = "{FEW}"
models = ["gpt-test", "/v1*"]
may_pin = true

[[user.key]]
name = "slow"
secret = "{SLOW}"
rpm = 2
may_pin = true

[[user]]
email = "poor@example.com"

[[user.key]]
name = "poor"
secret = "{POOR}"
may_pin = true
"""


def catalogue(vendor: str, *, profile: str = "strict") -> str:
    """Return the shop's configuration."""
    channels = [
        ("openai", "openai", '["gpt-test", "/*"]', "1.0"),
        ("dear", "openai", '["/v1/*"]', "1.5"),
        ("anthropic", "anthropic", '["/v1/files*", "/v1/messages/batches*"]', "1.0"),
        ("gemini", "gemini", '["/v1*"]', "1.0"),
        ("plain", "openai", '["*"]', "1.0"),
    ]
    return (
        MODELS.format(profile=profile)
        + "".join(
            CHANNEL.format(
                name=name, platform=platform, models=models, multiplier=by, rpm=0, vendor=vendor
            )
            for name, platform, models, by in channels
        )
        + USERS
    )
