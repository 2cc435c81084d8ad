"""Endpoints over real sockets: who may call, in whose words it is refused, what is remembered."""

import json

import httpx2
import pytest

from tests.demo.surfaces import ANTHROPIC, BEARER, CONTENTS, GENERATE, GOOGLE, SURFACES, post
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording


@pytest.mark.parametrize("surface", SURFACES)
def test_all_surfaces_answer_and_are_booked(vendor, client, surface):
    reply = post(client, surface, fake={"tag": "t", "headers": {"x-ratelimit-a": "5"}})
    assert reply.status_code == 200
    assert reply.headers["x-ratelimit-a"] == "5"
    call = vendor.books.calls[-1]
    assert (call.tag, call.secret, call.status) == ("t", "one", 200)
    assert call.ask.model


@pytest.mark.parametrize("surface", SURFACES)
def test_strangers_are_refused(client, surface):
    reply = post(client, surface, headers={})
    assert reply.status_code == (403 if surface.startswith(("gemini", "countT")) else 401)
    assert "error" in str(reply.json())


@pytest.mark.parametrize("surface", SURFACES)
def test_scripted_refusals_and_recordings(vendor, client, surface):
    reply = post(client, surface, fake={"status": 429, "retry_after": 7})
    assert reply.status_code == 429
    google = surface.startswith(("gemini", "countT"))
    assert reply.headers.get("retry-after") == (None if google else "7")
    error = reply.json()
    assert isinstance(error, list) == (surface == "gemini array")
    error = error[0] if isinstance(error, list) else error
    word = {"chat": "rate_limit_exceeded", "messages": "rate_limit_error"}
    assert word.get(surface, "") in str(error)
    assert ("RESOURCE_EXHAUSTED" in str(error)) == google
    vendor.books.accounts["one"] = AccountScript({"replay": "r"}, times=1)
    vendor.books.recordings["r"] = recording(200, {"content-type": "audio/mpeg"}, [b"ab", b"c"])
    reply = post(client, surface)
    assert (reply.content, reply.headers["content-type"]) == (b"abc", "audio/mpeg")


@pytest.mark.parametrize("surface", SURFACES)
def test_wrong_bodies(client, surface):
    path, headers, _ = SURFACES[surface]
    assert client.post(path, headers=headers, content=b"{").status_code == 400
    assert post(client, surface, fake={"nonsense": 1}).status_code == 400


def test_other_places_of_the_secret(vendor, client):
    assert client.post(f"{GENERATE}?key=two", json=CONTENTS).status_code == 200
    assert vendor.books.calls[-1].secret == "two"
    assert post(client, "gemini", headers=BEARER).status_code == 200
    version = {"anthropic-version": "2023-06-01"}
    assert post(client, "messages", headers={**BEARER, **version}).status_code == 200
    assert post(client, "responses", headers=ANTHROPIC).status_code == 401
    reply = post(client, "messages", headers={"x-api-key": "one"})
    assert (reply.status_code, "anthropic-version" in reply.text) == (400, True)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/gemini-test:generateContent",
        "/v1alpha/models/gemini-test:generateContent",
        "/v1beta1/projects/p/locations/l/publishers/google/models/gemini-test:generateContent",
    ],
)
def test_any_version_of_gemini(client, path):
    reply = client.post(path, headers=GOOGLE, json=CONTENTS)
    assert reply.json()["modelVersion"] == "gemini-test"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/nothing", BEARER, 404),
        ("GET", "/v1/responses", BEARER, 404),
        ("GET", "/v1/messages", ANTHROPIC, 405),
        ("POST", "/v1beta/models/m:dance", GOOGLE, 404),
        ("GET", "/v1/models/none", BEARER, 404),
        ("GET", "/v1/models", {}, 401),
        ("GET", "/v1/responses/resp_none", BEARER, 404),
    ],
)
def test_what_is_not_there(client, method, path, headers, status):
    assert client.request(method, path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("surface", "without"),
    [
        ("responses", "model"),
        ("messages", "max_tokens"),
        ("messages", "messages"),
        ("count_tokens", "model"),
        ("gemini", "contents"),
        ("embeddings", "input"),
        ("images", "prompt"),
        ("speech", "voice"),
    ],
)
def test_what_must_be_given(client, surface, without):
    path, headers, body = SURFACES[surface]
    rest = {name: value for name, value in body.items() if name != without}
    reply = client.post(path, headers=headers, json=rest)
    assert (reply.status_code, without in reply.text) == (400, True)


def test_models(vendor, client):
    assert client.get("/v1/models", headers=BEARER).json()["object"] == "list"
    assert client.get("/v1/models/gpt-test", headers=BEARER).json()["object"] == "model"
    assert client.get("/v1/models", headers=ANTHROPIC).json()["has_more"] is False
    for path in ("/v1beta/models", "/v1/models"):
        assert client.get(path, headers=GOOGLE).json()["models"]
    assert client.get("/v1beta/models/gemini-test?key=one").json()["name"] == "models/gemini-test"
    vendor.books.accounts["one"] = AccountScript({"status": 503})
    assert client.get("/v1/models", headers=BEARER).status_code == 503


def test_responses_are_kept_for_their_account(client):
    made = post(client, "responses").json()
    path = f"/v1/responses/{made['id']}"
    assert client.get(path, headers=BEARER).json() == made
    other = {"authorization": "Bearer two"}
    assert client.get(path, headers=other).status_code == 404
    assert client.post(f"{path}/cancel", headers=BEARER).status_code == 400
    following = {"previous_response_id": made["id"]}
    assert post(client, "responses", **following).status_code == 200
    reply = post(client, "responses", headers=other, **following)
    assert (reply.status_code, made["id"] in reply.text) == (400, True)
    assert post(client, "responses", previous_response_id="resp_strange").status_code == 200
    gone = client.delete(path, headers=BEARER).json()
    assert gone == {"id": made["id"], "object": "response.deleted", "deleted": True}
    assert client.get(path, headers=BEARER).status_code == 404


def test_responses_in_the_background_and_unkept(client):
    begun = post(client, "responses", background=True).json()
    assert (begun["status"], begun["output"]) == ("queued", [])
    path = f"/v1/responses/{begun['id']}"
    assert client.get(path, headers=BEARER).json()["status"] == "completed"
    assert client.post(f"{path}/cancel", headers=BEARER).json()["status"] == "cancelled"
    assert client.get(path, headers=BEARER).json()["status"] == "cancelled"
    unkept = post(client, "responses", store=False).json()["id"]
    assert client.get(f"/v1/responses/{unkept}", headers=BEARER).status_code == 404


def test_streams_have_the_right_frames(client):
    found = post(client, "gemini stream")
    assert found.headers["content-type"].startswith("text/event-stream")
    assert found.text.startswith("data: {") and found.text.endswith("}\r\n\r\n")
    found = post(client, "gemini array")
    assert found.headers["content-type"] == "application/json"
    assert found.json()[-1]["candidates"][0]["finishReason"] == "STOP"
    found = post(client, "messages", stream=True)
    assert found.headers["request-id"] == "req_fake"
    assert found.text.startswith("event: message_start\ndata: {")


@pytest.mark.parametrize("surface", ["responses", "messages", "gemini stream", "gemini array"])
def test_cut_streams(client, surface):
    path, headers, body = SURFACES[surface]
    asked = {**body, "stream": True, "fake": {"cut_after": 2, "text": "a b c d"}}
    pieces = []
    with client.stream("POST", path, headers=headers, json=asked) as reply:
        arriving = reply.iter_raw()
        with pytest.raises(httpx2.TransportError):
            pieces.extend(arriving)
    mark = b'"modelVersion"' if surface.startswith("gemini") else b"\ndata: "
    assert b"".join(pieces).count(mark) == 2


def test_a_pause_is_one_silence(client):
    fake = {"text": "a b c", "pause_after": 2, "pause_ms": 30}
    reply = post(client, "messages", stream=True, fake=fake)
    assert reply.text.endswith('data: {"type":"message_stop"}\n\n')


def test_scripts_in_forms(vendor, client):
    form = {"model": "whisper-1", "fake": json.dumps({"text": "Said so.", "tag": "f"})}
    files = {"file": ("a.mp3", b"abc", "audio/mpeg")}
    path = "/v1/audio/transcriptions"
    reply = client.post(path, headers=BEARER, data=form, files=files)
    assert reply.json()["text"] == "Said so."
    assert (vendor.books.calls[-1].tag, vendor.books.calls[-1].ask.model) == ("f", "whisper-1")
    assert client.post(path, headers=BEARER, data=form, files={}).status_code == 400
    wrong = {**form, "fake": "{"}
    assert client.post(path, headers=BEARER, data=wrong, files=files).status_code == 400


def test_sounds_in_pieces(client):
    reply = post(client, "speech", fake={"events": 3})
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.content == post(client, "speech").content
