"""Rules of channels and accounts through a real gateway: clients, names of models, fields."""

from collections.abc import Iterator

import msgspec
import pytest

from tests.conformance.oracle import PriceList
from tests.conformance.shop import Shop, open_shop
from tollbridge.demo.fake_books import AccountScript

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
# By channel: its platform, and the only name by which its upstream may ever hear of the model.
MAPPED = {
    "map-openai": ("openai", "canary-5"),
    "map-anthropic": ("anthropic", "canary-claude-4"),
    "map-gemini": ("gemini", "canary-gemini-2"),
}
WRONG = '"*" = "canary-far", "gpt-*" = "canary-near"'
# Of an account: its rules, and what its upstream gets by them.
CHANGED = {
    "own-openai": ("openai", "seed", "top_p"),
    "own-anthropic": ("anthropic", "top_k", "top_p"),
    "own-gemini": ("gemini", "labels", "safetySettings"),
}
OWN = 'headers = {{X-Name = "a value", User-Agent = "me/1"}}\nparams = {{{} = 7}}\nparams_drop = ["{}"]\n'
RULES = {
    name: (kind, f'multiplier = "2"\nmapping = {{{WRONG}, "gpt-5.4" = "{sent}"}}')
    for name, (kind, sent) in MAPPED.items()
}
AUTO = f"sk-{'auto':-<40}"
NAME = "gpt-5.4"


def secret_of(name: str) -> str:
    return f"sk-{name:-<40}"


def catalogue(vendor: str) -> str:
    text = SITE + MODEL.format(name=NAME) + PriceList.numbered(1).toml()
    for name, (platform, rules) in {**CHANNELS, **RULES}.items():
        text += CHANNEL.format(name=name, platform=platform, rules=rules, vendor=vendor)
    for name, (platform, params, dropped) in CHANGED.items():
        text += CHANNEL.format(
            name=name, platform=platform, rules='multiplier = "3"', vendor=vendor
        )
        text += OWN.format(params, dropped)
    text += USER + f'[[user.key]]\nname = "auto"\nsecret = "{AUTO}"\n'
    return text + "".join(
        KEY.format(name=name, secret=secret_of(name)) for name in (*CHANNELS, *RULES, *CHANGED)
    )


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
BODY = msgspec.json.encode(CALLS["/v1/chat/completions"])
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


GENERATING = {
    path: body for path, body in CALLS.items() if "count" not in path and "emb" not in path
}


def streamed(path: str, *, stream: bool) -> str:
    return path.replace(":generate", ":streamGenerate") + "?alt=sse" if stream else path


def quiet(shop: Shop, name: str) -> None:
    """Have the vendor answer a channel without naming its model in the text."""
    shop.books.reset()
    shop.books.accounts[name] = AccountScript({"text": "a bridge is a bridge"})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", [path for path in GENERATING if "stream" not in path])
@pytest.mark.parametrize("name", MAPPED)
def test_the_upstream_gets_its_name_and_the_client_only_ever_reads_its_own(
    shop, name, path, stream
):
    quiet(shop, name)
    body = {**CALLS[path], **({"stream": True} if stream and "v1beta" not in path else {})}
    target = streamed(path, stream=stream) if "v1beta" in path else path
    answer = shop.http.post(
        target, json=body, headers={"authorization": f"Bearer {secret_of(name)}"}
    )
    assert answer.status_code == 200, answer.text
    (call,) = shop.books.calls
    assert call.ask is not None and call.ask.model == MAPPED[name][1]
    assert NAME not in call.path and NAME.encode() not in call.body
    assert "canary" not in answer.text + str(answer.headers)
    # A client of Chat Completions, Responses, Messages or Gemini is told the model in any answer.
    assert NAME in answer.text
    receipt = shop.receipt(secret_of(name), answer.headers["x-request-id"])
    assert (receipt["model_asked"], receipt["model_sent"]) == (NAME, MAPPED[name][1])
    row = shop.usage_row(answer.headers["x-request-id"])
    assert "model_mismatch" not in (row["flags"] or "")


def test_other_endpoints_are_mapped_too(shop):
    bearer = {"authorization": f"Bearer {secret_of('map-openai')}"}
    for path in ("/v1/embeddings", "/v1/completions"):
        shop.vendor.books.reset()
        body = {"model": NAME, "input" if "emb" in path else "prompt": "Hello"}
        answer = shop.http.post(path, json=body, headers=bearer)
        assert answer.json()["model"] == NAME
        assert [call.ask.model for call in shop.books.calls] == [MAPPED["map-openai"][1]]


@pytest.mark.parametrize("name", MAPPED)
def test_counts_are_asked_for_under_the_upstreams_name(shop, name):
    answer = sent(shop, secret_of(name), "/v1/messages/count_tokens", {})
    assert answer.status_code == 200, answer.text
    (call,) = shop.books.calls
    assert MAPPED[name][1] in call.path + call.body.decode()
    assert NAME not in call.path + call.body.decode()


@pytest.mark.parametrize("name", MAPPED)
def test_a_complaint_speaks_of_the_clients_model(shop, name):
    told = f"The model {MAPPED[name][1]} takes no such thing."
    shop.vendor.books.reset()
    shop.books.accounts[name] = AccountScript({"status": 400, "error_text": told})
    answer = shop.call(secret_of(name), "/v1/chat/completions", BODY)
    assert answer.status_code == 400
    assert f"The model {NAME} takes no such thing." in answer.json()["error"]["message"]


def test_a_stored_response_keeps_the_clients_name(shop):
    key = secret_of("map-openai")
    bearer = {"authorization": f"Bearer {key}"}
    quiet(shop, "map-openai")
    made = shop.http.post("/v1/responses", json=CALLS["/v1/responses"], headers=bearer).json()
    path = f"/v1/responses/{made['id']}"
    whole = shop.http.get(path, headers=bearer)
    assert whole.json()["model"] == NAME
    assert "canary" not in whole.text
    refused = shop.http.get(path, params={"stream": "true"}, headers=bearer)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "stream")


DROPPED = {
    "/v1/chat/completions": {"top_p": 0.5},
    "/v1/responses": {"top_p": 0.5},
    "/v1/messages": {"top_p": 0.5},
    f"/v1beta/models/{NAME}:generateContent": {"safetySettings": []},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", DROPPED)
@pytest.mark.parametrize("name", CHANGED)
def test_an_accounts_headers_and_fields_arrive(shop, name, path, stream):
    shop.books.reset()
    gemini = "v1beta" in path
    fields = {"stream": True} if stream and not gemini else {}
    answer = shop.http.post(
        streamed(path, stream=stream) if gemini else path,
        json={**CALLS[path], **fields, **DROPPED[path]},
        headers={"authorization": f"Bearer {secret_of(name)}", "x-name": "CANARY"},
    )
    assert answer.status_code == 200, answer.text
    (call,) = shop.books.calls
    heads = [value for key, value in call.headers if key in {b"x-name", b"user-agent"}]
    assert sorted(heads) == [b"a value", b"me/1"]
    got = msgspec.json.decode(call.body)
    _, params, dropped = CHANGED[name]
    assert got[params] == 7
    assert dropped not in got


def test_counts_and_stored_responses_get_the_headers_alone(shop):
    bearer = {"authorization": f"Bearer {secret_of('own-openai')}"}
    made = shop.http.post("/v1/responses", json=CALLS["/v1/responses"], headers=bearer).json()
    assert shop.http.get(f"/v1/responses/{made['id']}", headers=bearer).status_code == 200
    assert shop.books.calls[-1].header(b"x-name") == "a value"
    counted = sent(shop, secret_of("own-anthropic"), "/v1/messages/count_tokens", {})
    assert counted.status_code == 200
    assert shop.books.calls[-1].header(b"user-agent") == "me/1"
    assert "top_k" not in msgspec.json.decode(shop.books.calls[-1].body)
