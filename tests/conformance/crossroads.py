"""Owns a crossroads: one gateway with each kind of channel, user and key that a call can fail to pass.

Every account's secret is its name, so the pretend vendor can be told how to treat each of them. What no
file can say (a channel switched off, an account taken out, a user suspended) is set by hand.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.conformance.shop import Shop, open_shop
from tests.faults.stage import Answer
from tollbridge.demo.fake_books import AccountScript

SURFACES = ("chat", "responses", "messages", "gemini", "media")
MODEL, OTHER, MARKED = "gpt-5.4", "gpt-other", "gpt-marked"
HIDDEN = "canary-5"
"""The only name by which the upstream of the channel `mapped` may hear of the model."""

# By model: USD for a million tokens in.
_MODELS = {
    **dict.fromkeys((MODEL, OTHER, MARKED, "gpt-image-1"), "2.50"),
    "wild-*": "1.00",
    "wild-long-*": "4.00",
    "wild-long-one": "7.00",
}
_SOLD = f'["{MODEL}", "gpt-image-1"]'
_IMAGES = 'capabilities = ["images"]\n'
_OPENAI = ("openai", _SOLD)
# By channel: platform, models, rules, and the accounts in the order in which they are tried.
_CHANNELS = {
    "main": (*_OPENAI, _IMAGES, ("main-a", "main-b")),
    "spare": (*_OPENAI, f'{_IMAGES}multiplier = "2"\n', ("spare-a", "spare-b", "spare-off")),
    "vip": (*_OPENAI, 'groups = ["vip"]\nmultiplier = "0.5"\n', ("vip-a",)),
    "shy": (*_OPENAI, 'surfaces = ["chat"]\nmultiplier = "0.8"\n', ("shy-a",)),
    "plain": (*_OPENAI, 'multiplier = "3"\n', ("plain-a",)),
    "code": (*_OPENAI, 'client_policy = "claude-code"\nmultiplier = "0.1"\n', ("code-a",)),
    "marked": ("openai", f'["{MARKED}"]', "requires_telegram = true\n", ("marked-a",)),
    "other": ("openai", f'["{OTHER}"]', "", ("other-a",)),
    "wild": ("openai", '["wild-*"]', "", ("wild-a",)),
    "mapped": (
        *_OPENAI,
        f'multiplier = "4"\nmapping = {{"{MODEL}" = "{HIDDEN}"}}\n',
        ("mapped-a",),
    ),
    "empty": (*_OPENAI, 'multiplier = "0.2"\n', ()),
    "weary": (*_OPENAI, 'multiplier = "0.3"\n', ("weary-off",)),
}
ACCOUNTS = tuple(name for *_, names in _CHANNELS.values() for name in names)
_BOUND = ("main", "shy", "plain", "code", "marked", "other", "empty", "weary", "wild", "mapped")
KEYS = {
    name: f"sk-{name:-<40}"
    for name in (
        *_BOUND, "vip", "auto", "may", "may-main", "may-vip", "admin", "staff", "told", "walled",
        "narrow", "suspended", "broke", "closed", "rpm", "tpm", "calls",
    )
}  # fmt: skip
# A key of its own, though it looks like another that names a channel.
KEYS["shadow"] = f"{KEYS['may']}#plain"


def _channel(name: str, vendor: str, platform: str, models: str, rules: str, *accounts: str) -> str:
    text = f'[[channel]]\nname = "{name}"\nplatform = "{platform}"\nmodels = {models}\n{rules}'
    for at, account in enumerate(accounts):
        text += (
            f'[[channel.account]]\nname = "{account}"\nbase_url = "{vendor}"\n'
            f'secret = "{account}"\npriority = {at}\n'
        )
    return text


def _key(name: str, channel: str = "auto", *lines: str) -> str:
    head = f'[[user.key]]\nname = "{name}"\nsecret = "{KEYS[name]}"\nchannel = "{channel}"\n'
    return head + "".join(f"{line}\n" for line in lines)


def _user(email: str, *lines: str, credit: str = "500.00") -> str:
    given = f'credit = "{credit}"\n' if credit else ""
    text = f'[[user]]\nemail = "{email}@example.com"\n{given}'
    return text + "".join(f"{line}\n" for line in lines)


def catalogue(vendor: str, profile: str = "strict") -> str:
    """Return the configuration; one channel is each profile's own, and shows that it arrived."""
    text = f'[site]\nallow_private_upstreams = true\nerror_profile = "{profile}"\n'
    for name, price in _MODELS.items():
        text += f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
        text += f'input = "{price}"\noutput = "10.00"\n'
    for name, (platform, models, rules, accounts) in _CHANNELS.items():
        text += _channel(name, vendor, platform, models, rules, *accounts)
    rules = 'multiplier = "0.05"\n'
    text += _channel(f"closed-{profile}", vendor, *_OPENAI, rules, f"closed-{profile}-a")
    text += _user("rich") + "".join(_key(name, name) for name in _BOUND)
    text += _key("closed", f"closed-{profile}") + _key("auto")
    text += _key("may", "auto", "may_pin = true") + _key("may-main", "main", "may_pin = true")
    text += _key("walled", "main", 'ips = ["203.0.113.0/24"]')
    text += _key("narrow", "main", f'models = ["{OTHER}"]')
    text += _key("shadow", "other", "may_pin = true")
    text += _key("rpm", "main", "rpm = 1") + _key("calls", "main", "concurrency = 1")
    text += _key("tpm", "main", "tpm = 1")
    text += _user("vip", 'group = "vip"') + _key("vip") + _key("may-vip", "auto", "may_pin = true")
    text += _user("admin", 'role = "admin"') + _key("admin", "main")
    text += _user("staff", 'role = "staff"') + _key("staff", "main")
    text += _user("told", "telegram_id = 77") + _key("told")
    text += _user("suspended") + _key("suspended", "main")
    return text + _user("broke", credit="") + _key("broke", "main")


_BY_HAND = """
UPDATE channels SET enabled = 0 WHERE name LIKE 'closed%';
UPDATE accounts SET disabled_reason = 'switched off' WHERE name LIKE '%-off';
UPDATE users SET status = 'suspended' WHERE email LIKE 'suspended%';
"""


class Crossroads:
    """A serving gateway with all of that."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def speak(self, profile: str) -> None:
        """Have the running gateway answer in a profile, and wait until it does."""
        gateway = self.shop.gateway
        gateway.apply(catalogue(self.shop.vendor.url, profile))
        # The file switches the channel on, so that its refusal shows what was done by hand.
        self.until("closed", 200)
        self.set_by_hand(_BY_HAND)
        self.until("closed", 403)

    def set_by_hand(self, statements: str) -> None:
        """Change the catalogue in a way that no file can say."""
        with contextlib.closing(sqlite3.connect(self.shop.gateway.database)) as connection:
            connection.executescript(f"{statements}\nUPDATE change SET version = version + 1;")

    def until(self, key: str, status: int, model: str = MODEL) -> None:
        """Call until a change has arrived."""
        self.shop.books.reset()
        deadline = time.monotonic() + 20
        while self.call("chat", key, model).status != status:
            assert time.monotonic() < deadline, f"the change did not arrive: {key}"
            time.sleep(0.02)

    def script(self, *accounts: str, **script: Any) -> None:
        """Forget what was called, and let accounts answer so."""
        self.shop.books.reset()
        for name in accounts:
            self.shop.books.accounts[name] = AccountScript(script)

    def called(self) -> list[str]:
        """Return the accounts that were called since, in order."""
        return [call.secret for call in self.shop.books.calls]

    def call(
        self, surface: str, key: str | None, model: str = MODEL, *, pin: str = "", **headers: str
    ) -> Answer:
        """Make a call; `pin` stands behind the key. Without a key when that is None."""
        path, body = asked(surface, model)
        if key is not None:
            headers = {"authorization": f"Bearer {KEYS[key]}{pin}", **headers}
        return self.send(path, body, headers)

    def send(self, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Send any call."""
        # A name of a header is ASCII, its value may be any bytes.
        lines = {name: value.encode() for name, value in headers.items()}
        reply: httpx2.Response = self.shop.http.post(path, json=body, headers=lines)
        return Answer(reply.status_code, reply.headers, reply.content)


def asked(surface: str, model: str) -> tuple[str, dict[str, Any]]:
    """Return path and body of a plain call."""
    turn = {"role": "user", "content": "Hello"}
    return {
        "chat": ("/v1/chat/completions", {"model": model, "messages": [turn]}),
        "responses": ("/v1/responses", {"model": model, "input": "Hello"}),
        "messages": ("/v1/messages", {"model": model, "max_tokens": 50, "messages": [turn]}),
        "gemini": (
            f"/v1beta/models/{model}:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        ),
        "media": ("/v1/embeddings", {"model": model, "input": "Hello"}),
    }[surface]


@contextlib.contextmanager
def open_crossroads(folder: Path) -> Iterator[Crossroads]:
    """Yield a crossroads that speaks strictly; at the end the books must be right."""
    with open_shop(folder, catalogue) as shop:
        crossroads = Crossroads(shop)
        crossroads.speak("strict")
        yield crossroads
