"""The generated error page says what to do, in the seeds' words."""

import pytest

from tollbridge.core.errors import Kind, Profile, advice
from tollbridge.core.errors.advice import TABLES


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("kind", Kind)
def test_every_error_has_a_way_out(kind, profile):
    assert advice(kind, profile).fix


def test_S0_errors_what_to_do():  # noqa: N802 - the row's id
    assert set(TABLES[Profile.LEGACY]) == {401, 403, 404, 429, 500, 502, 503, 504}
    limited = advice(Kind.RATE_LIMITED, Profile.LEGACY)
    assert limited.meaning == "Rate limited"
    assert limited.cause == "Too many requests in a short time"
    assert limited.fix == "Wait 1–5 minutes for automatic recovery"  # noqa: RUF001
    assert advice(Kind.NOT_FOUND, Profile.LEGACY).fix == "Check the exact base URL for each client"
    assert advice(Kind.NO_ACCOUNT, Profile.LEGACY) == advice(Kind.UPSTREAM_FAILED, Profile.LEGACY)


def test_S2_table_is_whole():  # noqa: N802
    assert set(TABLES[Profile.STATUS402]) == {400, 401, 402, 403, 404, 413, 429, 500, 502, 503}
    assert (
        advice(Kind.BALANCE_INSUFFICIENT, Profile.STATUS402).fix == "Top up or reduce the request."
    )


def test_S3_table_is_whole():  # noqa: N802
    table = {status: row.meaning for status, row in TABLES[Profile.PLAIN].items()}
    assert table == {
        401: "invalid_api_key",
        400: "invalid_request_error",
        429: "rate_limit_exceeded",
        500: "server_error",
    }


def test_a_status_outside_the_table_falls_back_to_the_catalogue():
    assert "trace id" in advice(Kind.INTERNAL, Profile.STRICT).fix
    assert advice(Kind.UPSTREAM_TIMEOUT, Profile.STATUS402).fix.startswith("Shorten the prompt")
