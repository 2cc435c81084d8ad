"""What the gateway is configured to sell."""

import tomllib

from bench.gateway import configuration
from bench.surfaces import MODEL


def test_configuration_is_toml() -> None:
    keys = {"openai": "sk-" + "0" * 48, "gemini": "sk-" + "1" * 48}
    found = tomllib.loads(configuration("http://127.0.0.1:9", keys))
    assert found["model"][0]["name"] == MODEL
    assert [channel["platform"] for channel in found["channel"]] == list(keys)
    for channel, key in zip(found["channel"], found["user"][0]["key"], strict=True):
        assert channel["account"][0]["base_url"] == "http://127.0.0.1:9"
        assert (key["channel"], key["secret"]) == (channel["name"], keys[channel["platform"]])
