"""Proof of the request that an upstream gets, byte by byte."""

import msgspec
import pytest

from tests.relay.calls import account, admitted, channel, chat, model, snapshot
from tollbridge.core.errors import Surface
from tollbridge.relay.attempt import task_of
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.tokens import Token

SAID = [{"role": "user", "content": "hello"}]
BODIES = {
    "/v1/chat/completions": {"messages": SAID},
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
    "/v1/messages": {"messages": SAID, "max_tokens": 9},
    "/v1beta/models/gpt-test:generateContent": {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}]
    },
}
AUTH = {"openai": b"authorization", "anthropic": b"x-api-key", "gemini": b"x-goog-api-key"}
# Text completions have no other vendor.
REACHED = [
    (path, platform)
    for path in BODIES
    for platform in AUTH
    if platform == "openai" or path != "/v1/completions"
]


@pytest.fixture
def outbound():
    return Outbound()


def errand(call, to):
    return call.dialect.errand(task_of(call), to)


def head(outbound, call, to):
    return outbound.head(call, to, errand(call, to))


def lines(blob):
    """Return the head's first line and its headers, each of which there may be only once."""
    first, *rest = blob.removesuffix(b"\r\n\r\n").split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in rest)
    assert len(headers) == len(rest)
    return first, headers


def test_a_head_holds_exactly_this(outbound):
    one = account(base_url="https://vendor.example:8443/openai/", secret="s3cret")
    call = admitted()
    size = len(errand(call, one).body)
    assert head(outbound, call, one) == (
        b"POST /openai/v1/chat/completions HTTP/1.1\r\n"
        b"host: vendor.example:8443\r\n"
        b"authorization: Bearer s3cret\r\n"
        b"content-type: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: tollbridge\r\n"
        b"accept: application/json\r\n"
        b"content-length: %d\r\n"
        b"\r\n" % size
    )


def test_the_path_and_what_is_accepted_follow_the_call(outbound):
    one = account(base_url="http://127.0.0.1:9")
    stream = lines(head(outbound, admitted(chat(stream=True)), one))[1]
    assert stream[b"accept"] == b"text/event-stream"
    text = admitted({"model": "gpt-test", "prompt": "a"}, path="/v1/completions")
    assert lines(head(outbound, text, one))[0] == b"POST /v1/completions HTTP/1.1"
    assert lines(head(outbound, admitted(), one))[0] == b"POST /v1/chat/completions HTTP/1.1"


@pytest.mark.parametrize(
    "name",
    [b"x-api-key", b"cookie", b"user-agent", b"x-forwarded-for", b"openai-organization",
     b"openai-project", b"x-stainless-os", b"accept-encoding", b"connection", b"expect",
     b"traceparent", b"referer", b"idempotency-key"],
)  # fmt: skip
def test_what_a_client_says_of_itself_stays_here(outbound, name):
    plain = head(outbound, admitted(), account())
    call = admitted(headers={name: b"CANARY"})
    assert head(outbound, call, account()) == plain
    assert b"sk-test" not in plain


def test_the_one_header_on_the_list_passes(outbound):
    call = admitted(headers={b"openai-beta": b"assistants=v2"})
    sent = head(outbound, call, account())
    assert sent.count(b"\r\nopenai-beta: assistants=v2\r\n") == 1
    assert sent.endswith(b"\r\n\r\n")
    assert b"openai-beta" not in head(outbound, admitted(), account())


def test_a_new_snapshot_brings_a_new_host_and_secret(outbound):
    old = account(base_url="http://127.0.0.1:1", secret="old")
    new = account(base_url="http://127.0.0.1:2", secret="new")
    call = admitted()
    assert b"Bearer old\r\n" in head(outbound, call, old)
    assert outbound.target(call, old).port == 1
    assert b"host: 127.0.0.1:2\r\nauthorization: Bearer new\r\n" in head(outbound, call, new)
    assert outbound.target(call, new).port == 2
    # A call that began with the old snapshot still goes where that says.
    assert b"Bearer old\r\n" in head(outbound, call, old)


@pytest.mark.parametrize("platform", sorted(AUTH))
def test_an_account_that_signs_in_is_known_by_its_token_alone(outbound, platform):
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
            "gemini": "/v1beta/models/gpt-test:generateContent"}[platform]  # fmt: skip
    one = account(platform=platform, auth="oauth", secret="")
    catalogue = snapshot(channel(platform=platform, accounts=(one,)))
    headers = {b"anthropic-beta": b"context-1m-2025-08-07,oauth-2025-04-20"}
    body = {"model": "gpt-test", **BODIES[path]}
    call = admitted(body, path=path, catalogue=catalogue, headers=headers)
    for number in (1, 2):
        token = Token(f"token-{number}", number)
        first, sent = lines(outbound.token_head(call, one, errand(call, one), token))
        assert sent[b"authorization"] == b"Bearer token-%d" % number
        assert first.startswith(b"POST /v1")
        assert not {b"x-api-key", b"x-goog-api-key"} & sent.keys()
        beta = b"oauth-2025-04-20,context-1m-2025-08-07" if platform == "anthropic" else None
        assert sent.get(b"anthropic-beta") == beta
        assert sent[b"content-length"] == b"%d" % len(errand(call, one).body)


def test_accounts_do_not_mix(outbound):
    call = admitted()
    heads = [head(outbound, call, account(number)) for number in (1, 2, 1, 2)]
    assert heads[0] == heads[2] != heads[1] == heads[3]


def test_the_target_has_the_accounts_proxy_and_the_sites_leave(outbound):
    proxied = account(proxy="http://127.0.0.1:3128")
    call = admitted()
    target = outbound.target(call, proxied)
    assert (target.proxy.port, target.allow_private) == (3128, True)
    strict = admitted(catalogue=snapshot(channel(), allow_private_upstreams=False))
    assert not Outbound().target(strict, account()).allow_private
    assert outbound.target(call, proxied) is target


def test_the_body_is_the_clients_own_when_nothing_must_change():
    raw = b'{ "messages" : [{}] ,"model":"gpt-test", "future" : [1,  2]}'
    assert errand(admitted(raw), account()).body == raw


def test_the_body_gets_the_limit_that_the_hold_pays_for():
    call = admitted(chat(future={"a": 1}))
    call.output_limit = 55
    for one, field in ((account(1), "max_completion_tokens"),
                       (account(2, compatible=True), "max_tokens")):  # fmt: skip
        sent = msgspec.json.decode(errand(call, one).body)
        assert sent == {**chat(future={"a": 1}), field: 55}


def test_the_length_is_that_of_the_body_for_each_account(outbound):
    call = admitted(chat(max_tokens=50))
    call.output_limit = 7
    for to in (account(1), account(2, compatible=True), account(3, platform="anthropic")):
        sent = errand(call, to)
        length = lines(outbound.head(call, to, sent))[1][b"content-length"]
        assert int(length) == len(sent.body)


@pytest.mark.parametrize(("path", "platform"), REACHED)
def test_no_credential_and_no_foreign_header_ever_passes(outbound, path, platform):
    to = account(platform=platform, secret="s3cret")
    headers = dict.fromkeys(
        [b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie", b"x-goog-user-project",
         b"x-goog-api-client", b"anthropic-version", b"anthropic-beta", b"openai-organization",
         b"openai-project", b"x-forwarded-for", b"forwarded", b"proxy-authorization",
         b"x-stainless-lang", b"anthropic-dangerous-direct-browser-access", b"x-request-id"],
        b"CANARY",
    )  # fmt: skip
    call = admitted({"model": "gpt-test", **BODIES[path]}, path=path, headers=headers)
    sent = head(outbound, call, to)
    assert b"CANARY" not in sent and b"sk-test" not in sent
    _, got = lines(sent)
    secret = b"Bearer s3cret" if platform == "openai" else b"s3cret"
    assert got[AUTH[platform]] == secret
    assert not (set(AUTH.values()) - {AUTH[platform]}) & set(got)
    assert (b"anthropic-version" in got) == (platform == "anthropic")


@pytest.mark.parametrize("path", sorted(BODIES))
def test_a_protocols_own_headers_pass_only_to_an_upstream_of_that_protocol(outbound, path):
    headers = {
        b"openai-beta": b"assistants=v2",
        b"anthropic-version": b"2024-01-01",
        b"anthropic-beta": b"context-1m-2025-08-07",
    }
    call = admitted({"model": "gpt-test", **BODIES[path]}, path=path, headers=headers)
    for to in (account(1), account(2, platform="anthropic"), account(3, platform="gemini")):
        if not call.dialect.serves(to):
            continue
        _, got = lines(head(outbound, call, to))
        surface, platform = call.dialect.surface, to.platform
        own = (platform, surface) == ("anthropic", Surface.MESSAGES)
        assert (got.get(b"anthropic-beta") == b"context-1m-2025-08-07") == own
        assert (got.get(b"anthropic-version") == b"2024-01-01") == own
        own = platform == "openai" and surface in {Surface.CHAT, Surface.RESPONSES}
        assert (b"openai-beta" in got) == own


def test_the_heads_that_are_kept_are_bounded(outbound):
    to = account(platform="gemini")
    catalogue = snapshot(channel(models=["g*"], accounts=(to,)), models=(model("g*"),))
    body = {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
    for number in range(1_050):
        path = f"/v1beta/models/g{number}:generateContent"
        first, _ = lines(head(outbound, admitted(body, path=path, catalogue=catalogue), to))
        assert first == f"POST {path} HTTP/1.1".encode()
    assert len(outbound._addresses[to.id].heads) <= 1_000


def test_a_head_that_passes_as_it_is_has_its_own_method_and_lines(outbound):
    one = account(base_url="https://vendor.example/openai", secret="s3cret")
    path, own = b"/v1/files/f?limit=1", b"accept: */*\r\n"
    assert outbound.plain_head(admitted(), one, b"DELETE", path, own) == (
        b"DELETE /openai/v1/files/f?limit=1 HTTP/1.1\r\n"
        b"host: vendor.example\r\n"
        b"authorization: Bearer s3cret\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: tollbridge\r\n"
        b"accept: */*\r\n\r\n"
    )
