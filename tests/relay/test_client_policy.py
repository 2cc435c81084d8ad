"""Proof of which programs a channel's policy lets in, and that it is asked for every kind of key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import asked, channel, key, snapshot
from tollbridge.catalog.channel_fields import POLICIES
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import Multiplier
from tollbridge.relay.client_policy import admits
from tollbridge.relay.gate import Offers, read_body

CLAUDE = {
    b"user-agent": b"claude-cli/2.0.14 (external, cli)",
    b"x-app": b"cli",
    b"anthropic-beta": b"claude-code-20250219",
    b"anthropic-version": b"2023-06-01",
}
CODEX = {b"user-agent": b"codex_cli_rs/0.46.0 (Mac OS 15.6; arm64)"}
OTHERS = [{}, {b"user-agent": b"curl/8.5"}, {b"user-agent": b"AsyncOpenAI/Python 2.1"}]
COUNT = "/v1/messages/count_tokens"


def test_claude_code_is_known_by_all_its_headers():
    assert admits("claude-code", CLAUDE)
    for name in CLAUDE:
        lacking = {other: value for other, value in CLAUDE.items() if other != name}
        assert not admits("claude-code", lacking), name
        assert not admits("claude-code", {**CLAUDE, name: b" "}), name


def test_counting_needs_its_user_agent_alone():
    agent = {b"user-agent": CLAUDE[b"user-agent"]}
    assert admits("claude-code", agent, counting=True)
    assert not admits("claude-code", agent)
    for other in (*OTHERS, CODEX, {**CLAUDE, b"user-agent": b"curl/8.5"}):
        assert not admits("claude-code", other, counting=True)


@pytest.mark.parametrize(
    "agent",
    [b"claude-cli", b"claude-cli/", b"claude-cli/2", b"claude-cli/2.0", b"claude-cli/a.b.c",
     b"my claude-cli/2.0.14", b"Mozilla/5.0 claude-cli/2.0.14"],
)  # fmt: skip
def test_a_user_agent_must_begin_with_name_and_version(agent):
    assert not admits("claude-code", {**CLAUDE, b"user-agent": agent}, counting=True)


@pytest.mark.parametrize("name", [b"codex_cli_rs", b"codex_exec", b"codex_vscode", b"codex-tui"])
def test_codex_is_known_by_user_agent_or_originator(name):
    assert admits("codex", {b"user-agent": name + b"/0.46.0 (Linux)"})
    assert admits("codex", {b"user-agent": b"node", b"originator": name})
    assert not admits("codex", {b"user-agent": b"a " + name + b"/0.46.0"})
    assert not admits("codex", {b"user-agent": name})
    assert not admits("codex", {b"originator": name + b"x"})


def test_policies_do_not_mix():
    assert not admits("codex", CLAUDE)
    assert not admits("claude-code", CODEX)
    for headers in OTHERS:
        assert not admits("codex", headers)
        assert not admits("claude-code", headers)


@given(st.dictionaries(st.binary(max_size=9), st.binary(max_size=9)), st.booleans())
def test_any_lets_everybody_in_and_an_unknown_policy_nobody(headers, counting):
    assert admits("any", headers, counting=counting)
    assert not admits("somebody", headers, counting=counting)


def test_the_file_knows_no_policy_that_nobody_passes():
    assert all(any(admits(one, who) for who in (CLAUDE, CODEX)) for one in POLICIES)


def chosen(by, headers, *channels, offers=None):
    call = asked(by=by, headers=headers, catalogue=snapshot(*channels))
    read_body(call)
    (offers or Offers()).choose(call)
    return call.channel.name


CHEAP = {"client_policy": "claude-code", "multiplier": Multiplier(1, 2)}


def test_a_bound_key_hears_that_its_channel_is_for_another_client():
    one, offers = snapshot(channel(client_policy="claude-code")), Offers()
    for headers in (CLAUDE, CODEX, CLAUDE):
        call = asked(headers=headers, catalogue=one)
        read_body(call)
        if headers is CLAUDE:
            offers.choose(call)
            continue
        # What was remembered of an admitted client's call admits nobody else.
        with pytest.raises(ApiError) as error:
            offers.choose(call)
        assert error.value.kind is Kind.CLIENT_NOT_ALLOWED


def test_an_auto_key_passes_over_what_is_for_another_client():
    by = key(channel_id=None)
    channels = (channel(1, "code", **CHEAP), channel(2, "plain"))
    assert chosen(by, CLAUDE, *channels) == "code"
    assert chosen(by, {}, *channels) == "plain"
    with pytest.raises(ApiError) as error:
        chosen(by, {}, channels[0])
    assert error.value.kind is Kind.CLIENT_NOT_ALLOWED


def test_a_pinned_channel_has_its_policy_too():
    call = asked(catalogue=snapshot(channel(1), channel(2, "code", **CHEAP)))
    call.pinned = call.snapshot.channels[2]
    read_body(call)
    with pytest.raises(ApiError) as error:
        Offers().choose(call)
    assert error.value.kind is Kind.CLIENT_NOT_ALLOWED


@pytest.mark.parametrize(("path", "passes"), [(COUNT, True), ("/v1/messages", False)])
def test_the_kind_of_call_says_what_is_asked_of_the_client(path, passes):
    headers = {b"user-agent": CLAUDE[b"user-agent"]}
    body = {"model": "gpt-test", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
    call = asked(
        body, path=path, headers=headers, catalogue=snapshot(channel(client_policy="claude-code"))
    )
    read_body(call)
    if passes:
        Offers().choose(call)
        assert call.channel.client_policy == "claude-code"
    else:
        with pytest.raises(ApiError):
            Offers().choose(call)
