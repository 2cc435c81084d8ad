"""Refusals and broken streams in each vendor's own words."""

import json

import pytest

from tollbridge.demo import fake_errors
from tollbridge.demo.fake_errors import ANTHROPIC, GOOGLE, GOOGLE_ARRAY, OPENAI
from tollbridge.demo.fake_script import Script


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropic(status, kind):
    found = json.loads(ANTHROPIC.say(status, "why"))
    assert found["error"] == {"type": kind, "message": "why"}
    assert (found["type"], found["request_id"]) == ("error", "req_fake")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (418, "UNKNOWN"),
    ],
)
def test_google(status, word):
    expected = {"error": {"code": status, "message": "why", "status": word}}
    assert json.loads(GOOGLE.say(status, "why")) == expected
    assert json.loads(GOOGLE_ARRAY.say(status, "why")) == [expected]


def test_google_tells_the_wait_and_the_reason_in_details():
    script = Script(retry_after=34, error_kind="API_KEY_INVALID")
    details = json.loads(GOOGLE.error(429, "why", script))["error"]["details"]
    assert [one["@type"].rpartition(".")[2] for one in details] == ["ErrorInfo", "RetryInfo"]
    assert (details[0]["reason"], details[1]["retryDelay"]) == ("API_KEY_INVALID", "34s")
    assert (GOOGLE.waits, OPENAI.waits, ANTHROPIC.waits) == (False, True, True)


def test_openai_words_can_be_scripted():
    assert json.loads(OPENAI.say(429, "why"))["error"]["type"] == "rate_limit_exceeded"
    error = json.loads(OPENAI.error(429, "why", Script(error_kind="insufficient_quota")))["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")


def data(event):
    return json.loads(event.data.partition(b"data: ")[2])


def test_broken_streams():
    assert "message" in data(fake_errors.broken_chat(Script()))["error"]
    scripted = Script(error_kind="overloaded", error_text="Too much")
    assert data(fake_errors.broken_chat(scripted))["error"]["code"] == "overloaded"
    found = fake_errors.broken_messages(Script())
    assert found.data.startswith(b"event: error\n")
    assert data(found)["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    found = fake_errors.broken_gemini(Script(), array=False)
    assert found.data.endswith(b"\r\n\r\n")
    assert data(found)["error"]["code"] == 503


@pytest.mark.parametrize(("after", "before"), [(0, b""), (1, b'[{"a":1}')])
def test_a_broken_array_is_json(after, before):
    event = fake_errors.broken_gemini(Script(error_event_after=after), array=True)
    assert "error" in json.loads(before + event.data)[-1]


def test_broken_responses_in_three_forms():
    def broken(form):
        script = Script(error_form=form, error_event_after=3)
        found = data(
            fake_errors.broken_responses(script, {"id": "resp_1", "status": "in_progress"})
        )
        assert found["sequence_number"] == 3
        return found

    assert broken("nested")["error"]["code"] == "server_error"
    assert (broken("flat")["code"], broken("flat")["type"]) == ("server_error", "error")
    failed = broken("failed")
    assert (failed["type"], failed["response"]["id"]) == ("response.failed", "resp_1")
    assert (failed["response"]["status"], failed["response"]["error"]["code"]) == (
        "failed",
        "server_error",
    )
