"""Proof that the lines and the pairs of the API's answers say the same, and nothing of credentials."""

from tollbridge.core.cross_origin import ANSWER_LINES, ANSWER_PAIRS, ORIGIN_PAIR


def test_lines_are_the_pairs():
    lines = [tuple(line.split(b": ", 1)) for line in ANSWER_LINES.split(b"\r\n")]
    assert lines == [*ANSWER_PAIRS, (b"",)]


def test_any_origin_may_call_but_without_credentials():
    assert ORIGIN_PAIR == (b"access-control-allow-origin", b"*")
    assert ORIGIN_PAIR in ANSWER_PAIRS
    assert b"credentials" not in ANSWER_LINES


def test_what_clients_act_on_can_be_read():
    exposed = dict(ANSWER_PAIRS)[b"access-control-expose-headers"].decode().split(", ")
    assert {"x-request-id", "x-tollbridge-cost", "x-should-retry", "retry-after"} <= set(exposed)
    assert {"x-ratelimit-remaining-tokens", "x-tollbridge-max-output"} <= set(exposed)
    # Names one by one: with a credential in a header of its own, browsers differ on "*".
    assert "*" not in exposed
