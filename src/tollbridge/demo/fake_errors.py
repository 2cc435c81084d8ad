"""Owns how the pretend vendors refuse: their error bodies, and how they break a stream.

Pure: values in, bytes out. Shapes and words are the vendors' own (protocols.md 8.1, 8.3). It must
not know of sockets, nor why a call is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tollbridge.demo import fake_openai
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_script import Script

_encode = msgspec.json.encode
_PLAIN = Script()
_BROKEN = "The server had an error while processing your request."
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_RPC = "type.googleapis.com/google.rpc."


@dataclass(frozen=True, slots=True)
class Tongue:
    """The words of one vendor. `waits` says that it tells the wait in a `retry-after` header."""

    error: Callable[[int, str, Script], bytes]
    waits: bool = True
    headers: bytes = b""

    def say(self, status: int, message: str) -> bytes:
        """Return the error body of an unscripted refusal."""
        return self.error(status, message, _PLAIN)


def _openai(status: int, message: str, script: Script) -> bytes:
    if script.error_kind is None:
        return fake_openai.error_body(status, message)
    fields = {"message": message, "type": script.error_kind, "param": None}
    return _encode({"error": {**fields, "code": script.error_kind}})


def _anthropic(status: int, message: str, script: Script) -> bytes:
    kind = script.error_kind or _ANTHROPIC.get(status, "api_error")
    error = {"type": kind, "message": message}
    return _encode({"type": "error", "error": error, "request_id": "req_fake"})


def _google(status: int, message: str, script: Script) -> bytes:
    return _encode(_google_fields(status, message, script))


def _google_in_array(status: int, message: str, script: Script) -> bytes:
    return _encode([_google_fields(status, message, script)])


def _google_fields(status: int, message: str, script: Script) -> dict[str, object]:
    details: list[dict[str, object]] = []
    if script.error_kind is not None:
        info = {"@type": f"{_RPC}ErrorInfo", "reason": script.error_kind}
        details.append({**info, "domain": "googleapis.com"})
    if script.retry_after is not None:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{script.retry_after}s"})
    word = _GOOGLE.get(status, "UNKNOWN")
    error: dict[str, object] = {"code": status, "message": message, "status": word}
    return {"error": {**error, "details": details} if details else error}


OPENAI = Tongue(_openai)
ANTHROPIC = Tongue(_anthropic, headers=b"request-id: req_fake\r\n")
GOOGLE = Tongue(_google, waits=False)
GOOGLE_ARRAY = Tongue(_google_in_array, waits=False)


def broken_chat(script: Script) -> Event:
    """Return what breaks a chat stream: an error object as data, and no end mark."""
    if script.error_kind is None and script.error_text is None:
        return fake_openai.stream_error()
    return Event(b"data: " + _openai(500, script.error_text or _BROKEN, script) + b"\n\n")


def broken_messages(script: Script) -> Event:
    """Return Anthropic's error event."""
    kind = script.error_kind or "overloaded_error"
    error = {"type": kind, "message": script.error_text or "Overloaded"}
    fields = {"type": "error", "error": error, "request_id": "req_fake"}
    return Event(b"event: error\ndata: " + _encode(fields) + b"\n\n")


def broken_gemini(script: Script, *, array: bool) -> Event:
    """Return Gemini's error between the events of a stream, or as an array's last member."""
    fields = _google_fields(503, script.error_text or "The model is overloaded.", script)
    if not array:
        return Event(b"data: " + _encode(fields) + b"\r\n\r\n")
    return Event((b",\r\n" if script.error_event_after else b"[") + _encode(fields) + b"\n]")


def broken_responses(script: Script, response: dict[str, object]) -> Event:
    """Return what breaks a stream of the Responses API, in the form that the script asks for.

    `response` is the response as it was announced; it only stands in the failed form.
    """
    number = script.error_event_after or 0
    code = script.error_kind or "server_error"
    message = script.error_text or _BROKEN
    flat = {"code": code, "message": message, "param": None}
    if script.error_form == "failed":
        error = {"code": code, "message": message}
        failed = {**response, "status": "failed", "error": error}
        return _event("response.failed", {"sequence_number": number, "response": failed})
    if script.error_form == "flat":
        return _event("error", {"sequence_number": number, **flat})
    return _event("error", {"sequence_number": number, "error": {"type": code, **flat}})


def _event(name: str, fields: dict[str, object]) -> Event:
    data = _encode({"type": name, **fields})
    return Event(b"event: %s\ndata: %s\n\n" % (name.encode(), data))
