"""Owns what the demonstration sells and to whom: its configuration file and its key.

It must not know of processes or HTTP.
"""

import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MODEL = "demo-large"
SMALL_MODEL = "demo-small"
EMBEDDING = "demo-embedding"
IMAGE = "demo-image"
VOICE = "demo-voice"
CLAUDE = "demo-claude"
GEMINI = "demo-gemini"
MODELS = (MODEL, SMALL_MODEL, CLAUDE, GEMINI, EMBEDDING, IMAGE, VOICE)
CREDIT = "5.00"
EMAIL = "demo@example.com"
_SECRET_HEX = 24
_PASSWORD_HEX = 10

_TEMPLATE = f"""# Written by `tollbridge demo`. Change it and run `tollbridge apply` to see what happens.
[site]
allow_private_upstreams = true       # the pretend vendors are on this machine

[[model]]
name = "{MODEL}"
context = 400000
max_output = 16384
input = "2.50"                       # USD per million tokens
cache_read = "0.25"
output = "10.00"

[[model]]
name = "{SMALL_MODEL}"
context = 128000
max_output = 4096
input = "0.15"
cache_read = "0.075"
output = "0.60"

[[model]]
name = "{CLAUDE}"
context = 200000
max_output = 8192
input = "3.00"
cache_read = "0.30"
cache_write_5m = "3.75"
output = "15.00"

[[model]]
name = "{GEMINI}"
context = 1000000
max_output = 8192
input = "1.25"
cache_read = "0.125"
output = "10.00"

[[model]]
name = "{EMBEDDING}"
context = 8192
max_output = 1
input = "0.02"
output = "0.02"                      # embeddings have no output

[[model]]
name = "{IMAGE}"
context = 4096
max_output = 1
n_max = 4

[[model.image]]
price = "0.04"                       # each, of any size and quality

[[model]]
name = "{VOICE}"
context = 4096
max_output = 1
text_max = 4096
character = "0.000015"               # each

[[channel]]
name = "demo"
platform = "openai"
models = ["{MODEL}", "{SMALL_MODEL}", "{EMBEDDING}", "{IMAGE}", "{VOICE}"]
capabilities = ["images"]

[[channel.account]]
name = "pretend-vendor"
base_url = "{{vendor}}"
secret = "pretend-vendor-secret"

[[channel]]
name = "demo-anthropic"
platform = "anthropic"
models = ["{CLAUDE}"]

[[channel.account]]
name = "pretend-anthropic"
base_url = "{{vendor}}"
secret = "pretend-anthropic-secret"

[[channel]]
name = "demo-gemini"
platform = "gemini"
models = ["{GEMINI}"]

[[channel.account]]
name = "pretend-gemini"
base_url = "{{vendor}}"
secret = "pretend-gemini-secret"

[[user]]
email = "{EMAIL}"
role = "admin"                       # may enter the back office
password = "{{password}}"
credit = "{CREDIT}"

[[user.key]]
name = "demo"
secret = "{{secret}}"                # bound to no channel: the model's name finds one
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The files of one demonstration, its key, and the password that goes with EMAIL."""

    file: Path
    database: str
    log: Path
    secret: str = field(repr=False)
    password: str = field(repr=False)


def prepare(directory: Path, vendor_url: str) -> Scene:
    """Write the configuration into the directory, keeping key and password of an earlier one.

    OSError when the directory cannot be written.
    """
    # The gateway keeps its key file beside the database's folder, so that needs one of its own.
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    file = directory / "demo.toml"
    earlier = earlier_secrets(file)
    secret = earlier.key or "sk-demo-" + secrets.token_hex(_SECRET_HEX)
    password = earlier.password or secrets.token_hex(_PASSWORD_HEX)
    file.touch(mode=0o600)
    file.write_text(configuration(vendor_url, secret, password), encoding="utf-8")
    database = f"sqlite:///{(data / 'demo.db').resolve()}"
    return Scene(file, database, directory / "gateway.log", secret, password)


def configuration(vendor_url: str, secret: str, password: str) -> str:
    """Return the configuration file's text."""
    return _TEMPLATE.format(vendor=vendor_url, secret=secret, password=password)


class Earlier(NamedTuple):
    """What an earlier configuration says, None for what it does not."""

    key: str | None = None
    password: str | None = None


def earlier_secrets(file: Path) -> Earlier:
    """Return the key and the password that an earlier configuration names, if it can be read."""
    try:
        user = tomllib.loads(file.read_text(encoding="utf-8"))["user"][0]
        found = Earlier(user["key"][0]["secret"], user.get("password"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, LookupError):
        return Earlier()
    except (TypeError, AttributeError):
        # A table where there should be a list, or the other way round.
        return Earlier()
    return Earlier(*(one if isinstance(one, str) else None for one in found))
