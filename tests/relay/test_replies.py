"""Proof of the header lines that an answer gets, byte by byte."""

from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import admitted
from tollbridge.core.cross_origin import ANSWER_LINES
from tollbridge.core.money import parse_usd
from tollbridge.relay.replies import (
    SSE_HEADERS,
    header_lines,
    rate_lines,
    settled,
    stream_lines,
    traced,
    tracing,
)
from tollbridge.storage.counters import Scope, State


def test_every_answer_carries_its_tid_and_a_written_limit_only_if_there_is_one():
    call = admitted()
    assert tracing(call) == ANSWER_LINES + f"x-request-id: {call.tid}\r\n".encode()
    assert traced(call.tid) == tracing(call)
    call.output_limit = 4096
    assert tracing(call) == ANSWER_LINES + (
        f"x-request-id: {call.tid}\r\nx-tollbridge-max-output: 4096\r\n".encode()
    )


def test_a_limit_of_nothing_is_told_too():
    call = admitted()
    call.output_limit = 0
    assert tracing(call).endswith(b"x-tollbridge-max-output: 0\r\n")


def test_cost_and_balance_are_decimal_dollars():
    assert settled(1, 4_999_999_999) == (
        b"x-tollbridge-cost: 0.000000001\r\nx-tollbridge-balance: 4.999999999\r\n"
    )


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_what_is_told_of_money_is_exact(charge, balance):
    lines = dict(line.split(b": ") for line in settled(charge, balance).split(b"\r\n")[:-1])
    assert parse_usd(lines[b"x-tollbridge-cost"].decode()) == charge
    assert parse_usd(lines[b"x-tollbridge-balance"].decode()) == balance


def test_header_pairs_become_complete_lines():
    assert header_lines(()) == ANSWER_LINES
    assert header_lines(((b"a", b"1"), (b"b", b"2"))) == ANSWER_LINES + b"a: 1\r\nb: 2\r\n"


def test_a_stream_is_neither_cached_nor_buffered_on_its_way():
    assert SSE_HEADERS == (
        b"content-type: text/event-stream; charset=utf-8\r\n"
        b"cache-control: no-cache, no-transform\r\n"
        b"x-accel-buffering: no\r\n"
    )


def test_a_stream_that_travels_otherwise_differs_only_in_its_type():
    lines = stream_lines(b"application/json")
    assert lines == SSE_HEADERS.replace(b"text/event-stream; charset=utf-8", b"application/json")


def test_the_tightest_limit_of_each_kind_is_told():
    scopes = (Scope("key:1", 10, 0, 3), Scope("user:1", 20, 1000, 0))
    states = (State(9, 5_950, 0, 0), State(3, 100, 1200, 66_000))
    assert rate_lines(scopes, states) == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 1\r\n"
        b"x-ratelimit-reset-requests: 6.0s\r\n"
        b"x-ratelimit-limit-tokens: 1000\r\nx-ratelimit-remaining-tokens: 0\r\n"
        b"x-ratelimit-reset-tokens: 66.0s\r\n"
    )


def test_without_limits_a_minute_nothing_is_told():
    assert rate_lines((Scope("key:1", 0, 0, 3),), (State(0, 0, 0, 0),)) == b""
