"""Proof of the request that an upstream gets, byte by byte."""

import msgspec
import pytest

from tests.relay.calls import account, admitted, channel, chat, snapshot
from tollbridge.relay.outbound import Outbound


@pytest.fixture
def outbound():
    return Outbound()


def test_a_head_holds_exactly_this(outbound):
    one = account(base_url="https://vendor.example:8443/openai/", secret="s3cret")
    assert outbound.head(admitted(), one, b"12345") == (
        b"POST /openai/v1/chat/completions HTTP/1.1\r\n"
        b"host: vendor.example:8443\r\n"
        b"authorization: Bearer s3cret\r\n"
        b"content-type: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: tollbridge\r\n"
        b"accept: application/json\r\n"
        b"content-length: 5\r\n"
        b"\r\n"
    )


def test_the_path_and_what_is_accepted_follow_the_call(outbound):
    one = account(base_url="http://127.0.0.1:9")
    stream = outbound.head(admitted(chat(stream=True)), one, b"")
    assert b"\r\naccept: text/event-stream\r\ncontent-length: 0\r\n\r\n" in stream
    text = admitted({"model": "gpt-test", "prompt": "a"}, path="/v1/completions")
    assert outbound.head(text, one, b"").startswith(b"POST /v1/completions HTTP/1.1\r\n")
    assert outbound.head(admitted(), one, b"").startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "name",
    [b"x-api-key", b"cookie", b"user-agent", b"x-forwarded-for", b"openai-organization",
     b"openai-project", b"x-stainless-os", b"accept-encoding", b"connection", b"expect",
     b"traceparent", b"referer", b"idempotency-key"],
)  # fmt: skip
def test_what_a_client_says_of_itself_stays_here(outbound, name):
    plain = outbound.head(admitted(), account(), b"{}")
    call = admitted(headers={name: b"CANARY"})
    assert outbound.head(call, account(), b"{}") == plain
    assert b"sk-test" not in plain


def test_the_one_header_on_the_list_passes(outbound):
    call = admitted(headers={b"openai-beta": b"assistants=v2"})
    head = outbound.head(call, account(), b"{}")
    assert head.count(b"\r\nopenai-beta: assistants=v2\r\n") == 1
    assert head.endswith(b"\r\n\r\n")
    assert b"openai-beta" not in outbound.head(admitted(), account(), b"{}")


def test_a_new_snapshot_brings_a_new_host_and_secret(outbound):
    old = account(base_url="http://127.0.0.1:1", secret="old")
    new = account(base_url="http://127.0.0.1:2", secret="new")
    call = admitted()
    assert b"Bearer old\r\n" in outbound.head(call, old, b"")
    assert outbound.target(call, old).port == 1
    assert b"host: 127.0.0.1:2\r\nauthorization: Bearer new\r\n" in outbound.head(call, new, b"")
    assert outbound.target(call, new).port == 2
    # A call that began with the old snapshot still goes where that says.
    assert b"Bearer old\r\n" in outbound.head(call, old, b"")


def test_accounts_do_not_mix(outbound):
    call = admitted()
    heads = [outbound.head(call, account(number), b"") for number in (1, 2, 1, 2)]
    assert heads[0] == heads[2] != heads[1] == heads[3]


def test_the_target_has_the_accounts_proxy_and_the_sites_leave(outbound):
    proxied = account(proxy="http://127.0.0.1:3128")
    call = admitted()
    target = outbound.target(call, proxied)
    assert (target.proxy.port, target.allow_private) == (3128, True)
    strict = admitted(catalogue=snapshot(channel(), allow_private_upstreams=False))
    assert not Outbound().target(strict, account()).allow_private
    assert outbound.target(call, proxied) is target


def test_the_body_is_the_clients_own_when_nothing_must_change(outbound):
    raw = b'{ "messages" : [{}] ,"model":"gpt-test", "future" : [1,  2]}'
    call = admitted(raw)
    assert outbound.body(call, account()) == raw


def test_the_body_gets_the_limit_that_the_hold_pays_for(outbound):
    call = admitted(chat(future={"a": 1}))
    call.output_limit = 55
    for one, field in ((account(1), "max_completion_tokens"),
                       (account(2, compatible=True), "max_tokens")):  # fmt: skip
        sent = msgspec.json.decode(outbound.body(call, one))
        assert sent == {**chat(future={"a": 1}), field: 55}


def test_the_body_is_made_once_for_each_kind_of_account(outbound):
    call = admitted(chat(stream=True))
    first = outbound.body(call, account(1))
    assert outbound.body(call, account(2)) is first
    other = outbound.body(call, account(3, compatible=True))
    assert outbound.body(call, account(4, compatible=True)) is other
    assert outbound.body(admitted(chat(stream=True)), account(1)) is not first
