"""A real browser on a page of another origin: it may call with a key, read, stream, and no more."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.browser import found_by, installed
from tests.conformance.platforms import KEYS, MODELS, catalogue
from tests.conformance.shop import open_shop

# `call` says what a page can read of an answer; headers that are not exposed read as null.
_SCRIPT = """
const at = {url}, key = {key}, json = {{ "content-type": "application/json" }};
const bearer = {{ ...json, authorization: `Bearer ${{key}}`, "x-stainless-lang": "js" }};
const call = async (path, headers, body, method) => {{
  method ??= body ? "POST" : "GET";
  try {{
    const sent = body && JSON.stringify(body);
    const reply = await fetch(at + path, {{ method, headers, body: sent }});
    const shown = {{}};
    for (const name of {names}) shown[name] = reply.headers.get(name);
    return {{ status: reply.status, headers: shown, text: await reply.text() }};
  }} catch (fault) {{ return {{ fault: fault.name }}; }}
}};
const model = "gpt-5.4", messages = [{{ role: "user", content: "What is a bridge for?" }}];
const found = {{}};
found.whole = await call("/v1/chat/completions", bearer, {{ model, messages }});
const reply = await fetch(at + "/v1/chat/completions", {{
  method: "POST", headers: bearer, body: JSON.stringify({{ model, messages, stream: true }}),
}});
const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
found.stream = {{ status: reply.status, tid: reply.headers.get("x-request-id"), text: "" }};
for (let part = await reader.read(); !part.done; part = await reader.read())
  found.stream.text += part.value;
found.claude = await call("/claude/v1/messages", {{
  ...json, "x-api-key": key, "anthropic-version": "2023-06-01",
  "anthropic-dangerous-direct-browser-access": "true",
}}, {{ model, messages, max_tokens: 100 }});
const contents = [{{ role: "user", parts: [{{ text: "What is a bridge for?" }}] }}];
found.gemini = await call(`/gemini/v1beta/models/${{model}}:generateContent`,
  {{ ...json, "x-goog-api-key": key }}, {{ contents }});
found.list = await call("/v1/models", {{ authorization: `Bearer ${{key}}` }});
found.plain = await call(`/v1/models?key=${{key}}`, {{}});
found.denied = await call("/v1/chat/completions",
  {{ ...bearer, authorization: "Bearer sk-wrong" }}, {{ model, messages }});
found.malformed = await call("/v1/messages", bearer, {{ model }});
found.wrongPath = await call("/v1/v1/chat/completions", bearer, {{ model, messages }});
found.wrongMethod = await call("/claude/v1/messages", bearer, undefined, "DELETE");
found.tooLarge = await call("/v1/chat/completions", bearer, {{ model, big: "x".repeat(3e6) }});
found.operations = await call("/healthz", {{}});
found.credentials = await fetch(at + "/v1/models", {{ headers: bearer, credentials: "include" }})
  .then((reply) => reply.status, (fault) => fault.name);
return found;
"""
NAMES = [
    *("x-request-id", "x-tollbridge-cost", "x-tollbridge-balance", "x-should-retry", "allow"),
    *("x-tollbridge-max-output", "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Let a page try everything, once."""
    if installed() is None:
        reason = "no Chromium is installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("gateway")
    limited = 'channel = "openai"\nrpm = 100\ntpm = 1000000\n'

    def limiting(vendor: str) -> str:
        return catalogue(vendor).replace('channel = "openai"\n', limited)

    with open_shop(folder, limiting, {"TOLLBRIDGE_MAX_BODY_BYTES": "2000000"}) as shop:
        script = _SCRIPT.format(
            url=json.dumps(shop.gateway.url),
            key=json.dumps(KEYS["openai"]),
            names=json.dumps(NAMES),
        )
        seen: dict[str, Any] = found_by(script, folder)
    return seen


def test_a_call_and_what_it_cost_can_be_read(found):
    whole = found["whole"]
    assert whole["status"] == 200, whole
    assert json.loads(whole["text"])["choices"][0]["message"]["content"]
    assert len(whole["headers"]["x-request-id"]) == 32
    assert float(whole["headers"]["x-tollbridge-cost"]) > 0
    assert float(whole["headers"]["x-tollbridge-balance"]) > 0
    assert whole["headers"]["x-ratelimit-limit-requests"] == "100"
    assert int(whole["headers"]["x-ratelimit-remaining-tokens"]) < 1_000_000


def test_a_stream_can_be_read(found):
    stream = found["stream"]
    assert stream["status"] == 200
    assert len(stream["tid"]) == 32
    assert stream["text"].count("data: ") > 3
    assert stream["text"].endswith("data: [DONE]\n\n")


def test_every_family_and_credential(found):
    assert json.loads(found["claude"]["text"])["type"] == "message"
    assert json.loads(found["gemini"]["text"])["candidates"]
    models = json.loads(found["list"]["text"])["data"]
    assert [model["id"] for model in models] == sorted(MODELS)
    assert len(json.loads(found["plain"]["text"])["models"]) == len(MODELS)
    assert {found[name]["status"] for name in ("claude", "gemini", "list", "plain")} == {200}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *(("denied", 401), ("malformed", 400), ("wrongPath", 404), ("wrongMethod", 405)),
        ("tooLarge", 413),
    ],
)
def test_a_refusal_can_be_read(found, name, status):
    refused = found[name]
    assert refused.get("status") == status, refused
    assert json.loads(refused["text"])["error"]["message"]
    assert len(refused["headers"]["x-request-id"]) == 32
    assert refused["headers"]["x-should-retry"] == "false"
    assert (refused["headers"]["allow"] == "POST") == (name == "wrongMethod")


def test_nothing_but_the_api_and_no_cookies(found):
    assert found["operations"] == {"fault": "TypeError"}
    assert found["credentials"] == "TypeError"
