"""The official OpenAI SDK meets errors: its own exception classes, retries as advised, timeouts."""

import asyncio

import pytest
from openai import (
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
)

from tests.conformance.till import ASK, BROKE, NATIVE, TEXT, TOKENS, fake, make, make_async
from tollbridge.demo.fake_books import AccountScript


def asked(till, tag):
    """Return how often the vendor was asked by calls with this tag."""
    return sum(call.tag == tag for call in till.books.calls)


def check_error(error, kind, status, code, *, retry=False):
    assert type(error) is kind
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id == error.body["tid"]
    assert error.response.headers["x-should-retry"] == ("true" if retry else "false")
    assert ("retry-after" in error.response.headers) == retry
    assert error.message


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_key(till, stream):
    with (
        make(till, "sk-" + "wrong" * 9) as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        client.chat.completions.create(**ASK, stream=stream)
    check_error(caught.value, AuthenticationError, 401, "invalid_api_key")
    with make(till, "sk-" + "wrong" * 9) as client, pytest.raises(AuthenticationError):
        client.models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_empty_wallet(till, stream):
    with make(till, BROKE) as client, pytest.raises(APIStatusError) as caught:
        client.chat.completions.create(**ASK, stream=stream, **fake(tag="broke"))
    check_error(caught.value, APIStatusError, 402, "insufficient_quota")
    assert caught.value.type == "insufficient_quota"
    assert not [call for call in till.books.calls if call.tag == "broke"]


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(client, stream):
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(**{**ASK, "model": "gpt-tset"}, stream=stream)
    check_error(caught.value, NotFoundError, 404, "model_not_found")
    assert "gpt-test" in caught.value.message


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"messages": "hello"}, "invalid_value", "messages"),
        ({"max_tokens": 1_000_000}, "max_tokens_too_large", "max_tokens"),
        ({"n": 129}, "invalid_value", "n"),
        ({"stream": "yes"}, "invalid_value", "stream"),
    ],
)
def test_wrong_request(client, fields, code, param):
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(**ASK, extra_body=fields)
    check_error(caught.value, BadRequestError, 400, code)
    assert caught.value.param == param


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "seen", "code", "retry"),
    [
        (400, BadRequestError, 400, "invalid_request_error", False),
        (401, InternalServerError, 502, "service_unavailable", True),
        (402, InternalServerError, 502, "service_unavailable", True),
        (404, InternalServerError, 502, "service_unavailable", True),
        (429, InternalServerError, 503, "provider_rate_limited", True),
        (500, InternalServerError, 502, "service_unavailable", True),
    ],
)
def test_vendors_errors(client, stream, status, kind, seen, code, retry):
    with pytest.raises(APIStatusError) as caught:
        client.chat.completions.create(**ASK, stream=stream, **fake(status=status))
    check_error(caught.value, kind, seen, code, retry=retry)


def test_the_sdk_tries_again_when_it_is_told_to(till):
    till.books.accounts["native"] = AccountScript({"status": 500}, times=1)
    with make(till, NATIVE, max_retries=1) as client:
        raw = client.chat.completions.with_raw_response.create(**ASK)
    assert raw.retries_taken == 1
    assert raw.parse().choices[0].message.content


@pytest.mark.parametrize(
    ("model", "script", "kind", "status", "calls"),
    [
        ("gpt-test", {"status": 400}, BadRequestError, 400, 1),
        # A 503 is tried again by default; that this one is not is due to the header alone.
        ("gpt-test-unpriced", {}, InternalServerError, 503, 0),
        ("gpt-test", {"status": 502}, InternalServerError, 502, 2),
    ],
)
def test_the_sdk_obeys_the_advice(till, model, script, kind, status, calls):
    seen = []
    with make(till, NATIVE, max_retries=1) as client:
        client._client.event_hooks = {"response": [lambda reply: seen.append(reply.status_code)]}
        with pytest.raises(kind) as caught:
            client.chat.completions.create(
                **{**ASK, "model": model}, **fake(tag=f"{model} {script}", **script)
            )
    assert caught.value.status_code == status
    assert seen == [status] * max(calls, 1)
    assert asked(till, f"{model} {script}") == calls


def test_the_sdk_gives_up_waiting(till, key):
    """A client that leaves is let go; what the vendor still answers is charged."""
    with make(till, key, timeout=0.6) as client, pytest.raises(APITimeoutError):
        client.chat.completions.create(**ASK, **fake(delay_ms=2_000, tag=f"slow {key}"))
    row = wait_for_row(till)
    assert (row["end_state"], row["status"]) == ("complete", 499)
    assert "client_disconnected" in row["flags"]
    assert row["charge"] > 0


async def test_the_async_client_gives_up_waiting(till, key):
    """A vendor that stops its bill is stopped; one that would bill on is read to the end."""
    async with make_async(till, key, timeout=0.6) as client:
        with pytest.raises(APITimeoutError):
            await client.chat.completions.create(**ASK, stream=True, **fake(delay_ms=2_000))
    row = await asyncio.to_thread(wait_for_row, till)
    stopped = key == NATIVE
    assert (row["end_state"], row["status"]) == ("client_gone" if stopped else "complete", 499)
    assert "client_disconnected" in row["flags"]
    assert (row["input"] > 0, row["output"]) == (True, 0 if stopped else TOKENS + 5)


def wait_for_row(till):
    """Return the last usage row once no call is open any more."""
    till.gateway.wait_settled()
    return till.gateway.rows("SELECT * FROM usage ORDER BY tid DESC LIMIT 1")[0]


@pytest.mark.parametrize("stream", [False, True])
def test_a_vendor_that_never_answers(till, stream):
    with make(till, NATIVE) as client, pytest.raises(InternalServerError) as caught:
        client.chat.completions.create(**ASK, stream=stream, **fake(hang=True))
    check_error(caught.value, InternalServerError, 504, "timeout", retry=True)
    assert till.receipt(NATIVE, caught.value.request_id)["charge"] == "0.00"


@pytest.mark.parametrize("fault", [{"cut_after": 5}, {"error_event_after": 5}])
def test_a_stream_that_breaks_raises_in_the_middle(till, client, key, fault):
    said = []
    raw = client.chat.completions.with_raw_response.create(**ASK, stream=True, **fake(**fault))
    texts = (choice.delta.content or "" for chunk in raw.parse() for choice in chunk.choices)
    with pytest.raises(APIError) as caught:
        said.extend(texts)
    assert "".join(said)
    assert TEXT.startswith("".join(said))
    assert "".join(said) != TEXT
    assert not isinstance(caught.value, APIStatusError)
    receipt = till.receipt(key, raw.request_id)
    assert receipt["end_state"] == "partial"
    assert receipt["charge"] != "0.00"
