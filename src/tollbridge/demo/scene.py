"""Owns what the demonstration sells and to whom: its configuration file and its key.

It must not know of processes or HTTP.
"""

import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path

MODEL = "demo-large"
SMALL_MODEL = "demo-small"
CREDIT = "5.00"
_SECRET_HEX = 24

_TEMPLATE = """# Written by `tollbridge demo`. Change it and run `tollbridge apply` to see what happens.
[site]
allow_private_upstreams = true       # the pretend vendor is on this machine

[[model]]
name = "{large}"
context = 400000
max_output = 16384
input = "2.50"                       # USD per million tokens
cache_read = "0.25"
output = "10.00"

[[model]]
name = "{small}"
context = 128000
max_output = 4096
input = "0.15"
cache_read = "0.075"
output = "0.60"

[[channel]]
name = "demo"
platform = "openai"
surfaces = ["chat"]
models = ["{large}", "{small}"]
multiplier = "1.0"

[[channel.account]]
name = "pretend-vendor"
base_url = "{vendor}"
secret = "pretend-vendor-secret"

[[user]]
email = "demo@example.com"
credit = "{credit}"

[[user.key]]
name = "demo"
secret = "{secret}"
channel = "demo"
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The files of one demonstration and its key."""

    file: Path
    database: str
    log: Path
    secret: str


def prepare(directory: Path, vendor_url: str) -> Scene:
    """Write the configuration into the directory, keeping the key of an earlier demonstration.

    OSError when the directory cannot be written.
    """
    # The gateway keeps its key file beside the database's folder, so that needs one of its own.
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    file = directory / "demo.toml"
    secret = earlier_secret(file) or "sk-demo-" + secrets.token_hex(_SECRET_HEX)
    file.touch(mode=0o600)
    file.write_text(configuration(vendor_url, secret), encoding="utf-8")
    database = f"sqlite:///{(data / 'demo.db').resolve()}"
    return Scene(file, database, directory / "gateway.log", secret)


def configuration(vendor_url: str, secret: str) -> str:
    """Return the configuration file's text."""
    return _TEMPLATE.format(
        large=MODEL, small=SMALL_MODEL, vendor=vendor_url, credit=CREDIT, secret=secret
    )


def earlier_secret(file: Path) -> str | None:
    """Return the key that an earlier configuration names, if there is one that can be read."""
    try:
        users = tomllib.loads(file.read_text(encoding="utf-8"))["user"]
        secret = users[0]["key"][0]["secret"]
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, LookupError, TypeError):
        return None
    return secret if isinstance(secret, str) else None
