"""Proof of what OpenAI and its like are told beside the body."""

from tollbridge.upstreams.openai import OPENAI


def test_who_calls_is_said_as_a_bearer():
    assert OPENAI.auth_lines("sk-1") == b"authorization: Bearer sk-1\r\n"


def test_only_the_beta_header_passes_and_only_from_its_own_protocol():
    headers = {b"openai-beta": b"assistants=v2", b"openai-project": b"p", b"idempotency-key": b"i"}
    assert OPENAI.client_lines(headers, native=True) == b"openai-beta: assistants=v2\r\n"
    assert OPENAI.client_lines(headers, native=False) == b""
    assert OPENAI.client_lines({}, native=True) == b""
