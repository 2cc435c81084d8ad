"""Errors on the wire: every kind, surface and profile, and what the SDKs make of them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import (
    ApiError,
    Kind,
    Profile,
    Surface,
    effective,
    message_of,
    not_found,
    render,
    render_in_band,
)

TID = "0193a5b0c0de7abc8def0123456789ab"
SECRET = "sk-tb-ABCDEFGHIJKLMNOPQRSTUVWXYZabcd123456"
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
maybe_text = st.none() | any_text
FACTS = ["model", "key_last6", "method", "path", "nearest", "fixed_channel", "type", "allow"]
errors = st.builds(
    ApiError,
    st.sampled_from(Kind),
    maybe_text,
    code=maybe_text,
    param=maybe_text,
    retry_after_s=st.none() | st.integers(),
    facts=st.dictionaries(st.sampled_from(FACTS), any_text),
)


def body_of(error, surface=Surface.CHAT, profile=Profile.STRICT):
    return json.loads(render(error, surface, profile, TID).body)


def frames_of(error, surface, **given):
    raw = render_in_band(error, surface, Profile.STRICT, TID, model="gpt-5.4", **given)
    assert raw.endswith(b"\n\n")
    assert raw.count(b"\n\n") == 1
    lines = raw.decode().splitlines()
    event = lines[0].removeprefix("event: ") if lines[0].startswith("event: ") else ""
    assert len([line for line in lines if line]) == (2 if event else 1)
    data = next(line for line in lines if line.startswith("data: "))
    return event, json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("surface", Surface)
@pytest.mark.parametrize("kind", Kind)
def test_S0_S1_S2_S3_every_error_has_its_shape(kind, surface, profile):  # noqa: N802
    seen = effective(kind, profile)
    rendered = render(ApiError(kind), surface, profile, TID)
    assert rendered.status == seen.status
    body = json.loads(rendered.body)
    error = body["error"]
    assert error["message"]
    if surface is Surface.MESSAGES:
        assert list(body) == ["type", "error", "request_id", "tid"]
        assert (body["type"], body["request_id"], body["tid"]) == ("error", TID, TID)
        assert error == {"type": seen.native.anthropic, "message": error["message"]}
    elif surface is Surface.GEMINI:
        assert list(body) == ["error"]
        assert list(error) == ["code", "message", "status", "details"]
        assert (error["code"], error["status"]) == (seen.status, seen.native.gemini)
        assert error["details"] == [{"tid": TID}]
    else:
        assert list(body) == ["error", "request_id"]
        assert body["request_id"] == TID
        assert list(error) == ["message", "type", "param", "code", "status", "tid"]
        assert (error["type"], error["code"]) == (seen.native.openai, seen.code)
        assert (error["param"], error["status"], error["tid"]) == (None, seen.status, TID)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("kind", Kind)
def test_headers_say_whether_to_retry(kind, profile):
    headers = dict(render(ApiError(kind), Surface.CHAT, profile, TID).headers)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-request-id"] == TID.encode()
    if effective(kind, profile).row.retryable:
        assert headers[b"x-should-retry"] == b"true"
        assert 1 <= int(headers[b"retry-after"]) <= 120
    else:
        assert headers[b"x-should-retry"] == b"false"
        assert b"retry-after" not in headers


@pytest.mark.parametrize(
    ("asked", "sent"), [(-5, 1), (0, 1), (1, 1), (37, 37), (120, 120), (9999, 120)]
)
def test_retry_after_is_kept_within_two_minutes(asked, sent):
    error = ApiError(Kind.RATE_LIMITED, retry_after_s=asked)
    headers = dict(render(error, Surface.CHAT, Profile.STRICT, TID).headers)
    assert headers[b"retry-after"] == str(sent).encode()
    useless = ApiError(Kind.KEY_INVALID, retry_after_s=asked)
    assert b"retry-after" not in dict(render(useless, Surface.CHAT, Profile.STRICT, TID).headers)


def test_405_lists_the_methods():
    error = ApiError(Kind.METHOD_NOT_ALLOWED, facts={"allow": "POST, GET\r\nx: y"})
    headers = dict(render(error, Surface.CHAT, Profile.STRICT, TID).headers)
    assert headers[b"allow"] == b"POST,GETx:y"


@given(errors, st.sampled_from(Surface), st.sampled_from(Profile), any_text, any_text)
def test_rendering_never_raises(error, surface, profile, tid, model):
    rendered = render(error, surface, profile, tid)
    json.loads(rendered.body.decode("utf-8"))
    for name, value in rendered.headers:
        assert not set(name + value) & set(b"\r\n\0")
    raw = render_in_band(
        error, surface, profile, tid, model=model, stream_id=model, sequence=len(model)
    )
    text = raw.decode("utf-8")
    assert text.endswith("\n\n") and text.count("\n") == (3 if text.startswith("event:") else 2)
    json.loads(text.partition("data: ")[2])
    assert len(message_of(error, profile)) <= 1000


def test_control_characters_and_surrogates_are_replaced():
    message = body_of(ApiError(Kind.INVALID_REQUEST, "a\ud800b\x00c\nd\x1b[31m"))["error"][
        "message"
    ]
    assert message == "a\ufffdb c\nd [31m"


@pytest.mark.parametrize("surface", Surface)
def test_no_message_shows_more_than_six_characters_of_a_key(surface):
    facts = dict.fromkeys(FACTS, SECRET)
    for kind in Kind:
        for profile in Profile:
            error = ApiError(kind, f"key {SECRET}?", param=SECRET, facts=facts)
            body = render(error, surface, profile, TID).body
            assert SECRET[-7:].encode() not in body
            assert b"ABCDEFG" not in body


def test_not_found_names_method_path_and_the_right_one():
    error = body_of(not_found("POST", "/v1/v1/messages?key=" + SECRET), Surface.MESSAGES)["error"]
    assert error["message"] == "Invalid URL (POST /v1/v1/messages) (did you mean /v1/messages?)"
    bare = ApiError(Kind.NOT_FOUND, facts={"method": "GET", "path": "/messages?a=1"})
    assert message_of(bare) == "Invalid URL (GET /messages) (did you mean /v1/messages?)"
    assert message_of(not_found("GET", "/v1/nothing")) == "Invalid URL (GET /v1/nothing)"


def test_strict_prefers_the_raiser_s_words_and_the_profile_its_own():
    error = ApiError(Kind.BALANCE_INSUFFICIENT, "Ask for at most 100 tokens.")
    assert message_of(error) == "Ask for at most 100 tokens."
    assert message_of(error, Profile.STATUS402) == "Ask for at most 100 tokens."
    assert message_of(error, Profile.LEGACY).startswith("Your account balance is insufficient.")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("unsupported_value", "unsupported_value"),
        ("edge-7.vendor.example", "invalid_request_error"),
        ("org-abc123def", "invalid_request_error"),
        ("203.0.113.77", "invalid_request_error"),
        (None, "invalid_request_error"),
    ],
)
def test_a_vendors_code_that_points_at_it_is_not_shown(code, shown):
    error = ApiError(Kind.UPSTREAM_BAD_REQUEST, "no", code=code)
    made = render(error, Surface.CHAT, Profile.STRICT, TID)
    assert json.loads(made.body)["error"]["code"] == shown


def test_braces_in_a_raiser_s_message_are_not_filled():
    error = ApiError(Kind.INVALID_REQUEST, "use {model}", facts={"model": "x"})
    assert message_of(error) == "use {model}"
    nested = ApiError(Kind.MODEL_UNKNOWN, facts={"model": "{path}"})
    assert "{path}" in message_of(nested)


def test_chat_stream_ends_with_an_error_chunk_and_no_done():
    event, chunk = frames_of(ApiError(Kind.STREAM_BROKEN), Surface.CHAT, stream_id="chatcmpl-1")
    assert event == ""
    assert chunk["id"] == "chatcmpl-1"
    assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", "gpt-5.4")
    assert chunk["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert chunk["error"]["code"] == "stream_broken"
    assert (chunk["error"]["tid"], chunk["request_id"]) == (TID, TID)
    assert chunk["created"] == int(TID[:12], 16) // 1000
    assert frames_of(ApiError(Kind.STREAM_BROKEN), Surface.CHAT)[1]["id"] == f"chatcmpl-{TID}"


def test_responses_stream_ends_with_response_failed():
    event, data = frames_of(
        ApiError(Kind.STREAM_BROKEN), Surface.RESPONSES, stream_id="resp_1", sequence=7
    )
    assert event == data["type"] == "response.failed"
    assert data["sequence_number"] == 7
    response = data["response"]
    assert (response["id"], response["status"]) == ("resp_1", "failed")
    assert response["error"] == {
        "code": "server_error",
        "message": "The stream broke before the answer was complete.",
        "tid": TID,
    }
    _, limited = frames_of(ApiError(Kind.PROVIDER_RATE_LIMITED), Surface.RESPONSES)
    assert limited["response"]["error"]["code"] == "rate_limit_exceeded"
    assert limited["response"]["id"] == f"resp_{TID}"
    _, broke = frames_of(ApiError(Kind.BALANCE_INSUFFICIENT), Surface.RESPONSES)
    assert broke["response"]["error"]["code"] == "insufficient_quota"


def test_other_streams_end_in_their_own_grammar():
    event, data = frames_of(ApiError(Kind.NO_ACCOUNT), Surface.MESSAGES)
    assert (event, data["error"]["type"], data["tid"]) == ("error", "overloaded_error", TID)
    event, data = frames_of(ApiError(Kind.INTERNAL), Surface.GEMINI)
    assert (event, data["error"]["status"]) == ("", "INTERNAL")
    event, data = frames_of(ApiError(Kind.INTERNAL), Surface.MEDIA)
    assert (event, data["error"]["code"]) == ("", "server_error")


class Upstream(HTTPServer):
    """Answers every POST with the same status, headers and body, and counts the calls."""

    def __init__(self, status, headers, body):
        super().__init__(("127.0.0.1", 0), Answering)
        self.answer = (status, headers, body)
        self.calls = 0

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def client(self):
        url = f"http://127.0.0.1:{self.server_port}/v1"
        return openai.OpenAI(api_key="sk-none", base_url=url, max_retries=2)


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.calls += 1
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers:
            self.send_header(name.decode(), value.decode())
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


def streaming(raw):
    return Upstream(200, [(b"content-type", b"text/event-stream")], raw)


def called(client, **given):
    messages = [{"role": "user", "content": "hi"}]
    return client.chat.completions.create(model="gpt-5", messages=messages, **given)


@pytest.mark.parametrize(
    ("kind", "profile", "expected"),
    [
        (Kind.KEY_INVALID, Profile.STRICT, openai.AuthenticationError),
        (Kind.MODEL_NOT_ALLOWED, Profile.STRICT, openai.PermissionDeniedError),
        (Kind.INVALID_REQUEST, Profile.STRICT, openai.BadRequestError),
        # A 503 that no retry can help: the header keeps the SDK from trying.
        (Kind.MODEL_UNKNOWN, Profile.LEGACY, openai.InternalServerError),
    ],
)
def test_the_openai_sdk_reads_an_error_and_obeys_should_retry(kind, profile, expected):
    rendered = render(ApiError(kind, param="model"), Surface.CHAT, profile, TID)
    with Upstream(rendered.status, rendered.headers, rendered.body) as server:
        with server.client() as client, pytest.raises(expected) as caught:
            called(client)
        assert server.calls == 1
    assert caught.value.code == effective(kind, profile).code
    assert caught.value.param == "model"
    assert caught.value.request_id == TID
    assert json.loads(rendered.body)["error"]["message"] in str(caught.value)


def test_the_openai_sdk_raises_on_a_broken_stream():
    raw = render_in_band(
        ApiError(Kind.STREAM_BROKEN), Surface.CHAT, Profile.STRICT, TID, model="gpt-5"
    )
    with (
        streaming(raw) as server,
        server.client() as client,
        pytest.raises(openai.APIError) as caught,
    ):
        list(called(client, stream=True))
    assert caught.value.message == "The stream broke before the answer was complete."


def test_the_openai_sdk_sees_a_failed_response():
    raw = render_in_band(
        ApiError(Kind.INTERNAL), Surface.RESPONSES, Profile.STRICT, TID, model="gpt-5"
    )
    with streaming(raw) as server, server.client() as client:
        events = list(client.responses.create(model="gpt-5", input="hi", stream=True))
    assert [event.type for event in events] == ["response.failed"]
    assert events[0].response.error.code == "server_error"
