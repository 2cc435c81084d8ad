"""Rules of channels through a real gateway: which clients one takes."""

from collections.abc import Iterator

import pytest

from tests.conformance.oracle import PriceList
from tests.conformance.shop import Shop, open_shop

SITE = "[site]\nallow_private_upstreams = true\n"
MODEL = '[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = ["*"]
capabilities = ["images"]
{rules}
[[channel.account]]
name = "{name}"
base_url = "{vendor}"
secret = "{name}"
"""
USER = '[[user]]\nemail = "rich@example.com"\ncredit = "500.00"\n'
KEY = '[[user.key]]\nname = "{name}"\nsecret = "{secret}"\nchannel = "{name}"\n'
SAID = [{"role": "user", "content": "Hello"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hello"}]}]
CHANNELS = {
    "code": ("anthropic", 'client_policy = "claude-code"\nmultiplier = "0.5"'),
    "codex": ("openai", 'client_policy = "codex"\nmultiplier = "0.6"'),
    "plain": ("openai", ""),
}
AUTO = f"sk-{'auto':-<40}"
NAME = "gpt-5.4"


def secret_of(name: str) -> str:
    return f"sk-{name:-<40}"


def catalogue(vendor: str) -> str:
    text = SITE + MODEL.format(name=NAME) + PriceList.numbered(1).toml()
    for name, (platform, rules) in CHANNELS.items():
        text += CHANNEL.format(name=name, platform=platform, rules=rules, vendor=vendor)
    text += USER + f'[[user.key]]\nname = "auto"\nsecret = "{AUTO}"\n'
    return text + "".join(KEY.format(name=name, secret=secret_of(name)) for name in CHANNELS)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


CALLS = {
    "/v1/chat/completions": {"model": NAME, "messages": SAID},
    "/v1/responses": {"model": NAME, "input": "Hello"},
    "/v1/messages": {"model": NAME, "max_tokens": 50, "messages": SAID},
    "/v1/messages/count_tokens": {"model": NAME, "messages": SAID},
    f"/v1beta/models/{NAME}:generateContent": {"contents": CONTENTS},
    f"/v1beta/models/{NAME}:streamGenerateContent": {"contents": CONTENTS},
    "/v1/embeddings": {"model": NAME, "input": "Hello"},
}
CLAUDE = {
    "user-agent": "claude-cli/2.0.14 (external, cli)",
    "x-app": "cli",
    "anthropic-beta": "claude-code-20250219",
    "anthropic-version": "2023-06-01",
}
CODEX = {"user-agent": "codex_exec/0.46.0 (Linux)", "originator": "codex_exec"}
# What each surface calls the same refusal.
WORDS = {
    "/v1/messages": "permission_error",
    "/v1/messages/count_tokens": "permission_error",
    f"/v1beta/models/{NAME}:generateContent": "PERMISSION_DENIED",
    f"/v1beta/models/{NAME}:streamGenerateContent": "PERMISSION_DENIED",
}


def sent(shop: Shop, key: str, path: str, headers: dict[str, str]):
    shop.vendor.books.reset()
    bearer = {"authorization": f"Bearer {key}"}
    return shop.http.post(path, json=CALLS[path], headers={**bearer, **headers})


# Anthropic has no embeddings, which is said first.
REFUSED = [(name, path) for name in ("code", "codex") for path in CALLS
           if (name, path) != ("code", "/v1/embeddings")]  # fmt: skip


@pytest.mark.parametrize(("name", "path"), REFUSED)
def test_another_client_is_refused_in_the_surfaces_own_words(shop, name, path):
    before = shop.gateway.rows("SELECT available, held FROM purse WHERE kind = 'wallet'")
    other = CODEX if name == "code" else CLAUDE
    for headers in ({}, other):
        answer = sent(shop, secret_of(name), path, headers)
        error = answer.json()["error"]
        assert answer.status_code == 403, answer.text
        assert WORDS.get(path, "client_not_allowed") in {
            *(error.get("type"), error.get("code"), error.get("status"))
        }
        assert "does not accept this client" in error["message"]
        assert "x-charge" not in answer.headers
    assert list(shop.books.calls) == []
    assert shop.gateway.rows("SELECT available, held FROM purse WHERE kind = 'wallet'") == before


@pytest.mark.parametrize(
    ("name", "path", "headers"),
    [
        ("code", "/v1/messages", CLAUDE),
        ("code", "/v1/messages/count_tokens", {"user-agent": CLAUDE["user-agent"]}),
        ("codex", "/v1/responses", CODEX),
        ("codex", "/v1/responses", {"originator": "codex_cli_rs"}),
        ("codex", "/v1/chat/completions", {"user-agent": "codex_cli_rs/0.1.0"}),
        ("plain", "/v1/messages", {}),
    ],
)
def test_the_channels_own_client_passes(shop, name, path, headers):
    answer = sent(shop, secret_of(name), path, headers)
    assert answer.status_code == 200, answer.text
    assert [call.secret for call in shop.books.calls] == [name]


@pytest.mark.parametrize(("headers", "name"), [(CLAUDE, "code"), (CODEX, "codex"), ({}, "plain")])
def test_an_auto_key_goes_to_the_cheapest_channel_that_takes_its_client(shop, headers, name):
    answer = sent(shop, AUTO, "/v1/messages", headers)
    assert answer.status_code == 200, answer.text
    assert [call.secret for call in shop.books.calls] == [name]
