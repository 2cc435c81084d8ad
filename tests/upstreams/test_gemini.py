"""Proof of what Gemini is told beside the body: who calls, and nothing else."""

import pytest

from tollbridge.upstreams.gemini import GEMINI


def test_who_calls_is_said_in_a_header_and_not_in_the_query():
    assert GEMINI.auth_lines("AIza1") == b"x-goog-api-key: AIza1\r\n"


@pytest.mark.parametrize("native", [False, True])
def test_nothing_passes(native):
    headers = {b"x-goog-api-client": b"a", b"x-goog-user-project": b"b", b"openai-beta": b"c"}
    assert GEMINI.client_lines(headers, native=native) == b""
