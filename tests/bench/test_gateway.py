"""What the gateway is configured to sell."""

import tomllib

from bench.gateway import configuration
from bench.lanes import MODEL


def test_configuration_is_toml() -> None:
    found = tomllib.loads(configuration("http://127.0.0.1:9", "sk-" + "0" * 48))
    assert found["model"][0]["name"] == MODEL
    assert found["channel"][0]["account"][0]["base_url"] == "http://127.0.0.1:9"
    assert len(found["user"][0]["key"][0]["secret"]) >= 32
