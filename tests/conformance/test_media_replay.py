"""Recorded media traffic of real vendors passes untouched, and is charged to the nano-dollar.

What a recording costs is worked out here by hand from the vendor's figures, integers only.
"""

import base64
import json
import math
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.shop import open_shop
from tollbridge.demo.fake_reply import recording
from tollbridge.demo.fake_samples import PNG, wav

KEY = f"sk-{'replay':-<40}"
FOLDERS = ("openai_audio", "openai_embeddings", "openai_images", "openai_moderations")
# Another vendor's own endpoint, and an operator's statistics.
ELSEWHERE = {"0d3f154d1bd2", "0cbb2776183b"}
BY_TOKEN, BY_PIECE = "sold-by-token", "sold-by-piece"
TOKENS = {
    "input": 2_000_000_011,
    "output": 8_000_000_009,
    "audio_input": 30_000_000_001,
    "image_input": 9_000_000_007,
    "image_output": 41_000_000_003,
}
SECOND, CHARACTER, REQUEST, SQUARE, OTHER = 100_003, 15_007, 1_009, 40_000_003, 70_000_001
NUM, DEN = 115, 100
LEAST = {
    "embeddings": {"input": "hello"},
    "moderations": {"input": "hello"},
    "images/generations": {"prompt": "hello"},
}
SECONDS = 3


def usd(nano: int) -> str:
    return f'"{nano // 10**9}.{nano % 10**9:09d}"'


def catalogue(vendor: str) -> str:
    tokens = "\n".join(f"{name} = {usd(nano)}" for name, nano in TOKENS.items())
    return f"""
[site]
allow_private_upstreams = true
[[model]]
name = "{BY_TOKEN}"
context = 100000
max_output = 10000
{tokens}
[[model]]
name = "{BY_PIECE}"
context = 100000
max_output = 10000
second = {usd(SECOND)}
character = {usd(CHARACTER)}
request = {usd(REQUEST)}
image = [
  {{size = "1024x1024", quality = "*", price = {usd(SQUARE)}}},
  {{size = "*", quality = "*", price = {usd(OTHER)}}},
]
[[channel]]
name = "main"
platform = "openai"
models = ["*"]
multiplier = "1.15"
capabilities = ["images"]
[[channel.account]]
name = "main"
base_url = "{vendor}"
secret = "main"
[[user]]
email = "user@example.com"
credit = "500.00"
[[user.key]]
name = "main"
secret = "{KEY}"
channel = "main"
"""


@dataclass(frozen=True)
class Media:
    """One recording."""

    id: str
    path: str
    status: int
    kind: str
    wire: bytes
    answer: Any
    asked: dict[str, Any]
    files: tuple[str, ...]

    @property
    def usage(self) -> dict[str, Any]:
        given = self.answer.get("usage") if isinstance(self.answer, dict) else None
        return given if given and "cost_in_usd_ticks" not in given else {}

    @property
    def by_token(self) -> bool:
        return self.usage.get("type") != "duration" and bool(self.usage)


def read(record: dict[str, Any]) -> Media:
    answer, asked = record["response"], record["request"].get("body") or {}
    body, kind = answer.get("body"), answer["headers"].get("content-type") or "application/json"
    if "sse" in answer:
        wire = answer["sse"].encode()
        data = [line[6:] for line in answer["sse"].splitlines() if line.startswith("data: {")]
        body = json.loads(data[-1])
    elif "__binary__" in body:
        wire = base64.b64decode(body["__binary__"]["head_b64"])
    else:
        wire = json.dumps(body, indent=2, ensure_ascii=False).encode()
    path = record["endpoint"].replace(".", "/")
    parts = asked.get("__multipart__")
    is_form = parts is not None or path.startswith("audio/trans") or path == "images/variations"
    files: tuple[str, ...] = ()
    if is_form:
        fields = {one["name"]: one.get("value") for one in parts or () if "filename" not in one}
        asked = {name: value for name, value in fields.items() if isinstance(value, str)}
        names = [one["name"] for one in parts or () if "filename" in one]
        files = tuple(names or ["file" if path.startswith("audio") else "image"])
    return Media(
        record["id"], path, answer["status"], kind, wire, body, asked or LEAST.get(path, {}), files
    )


@pytest.fixture(scope="module")
def recordings(corpus):
    records = [
        json.loads(path.read_bytes())
        for folder in FOLDERS
        for path in sorted((corpus / folder).glob("*.json"))
    ]
    return [read(record) for record in records if record["id"] not in ELSEWHERE]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def play(shop, one):
    """Let the vendor answer with the recording; return the answer and the request's own bytes."""
    shop.books.recordings[one.id] = recording(one.status, {"content-type": one.kind}, [one.wire])
    model = BY_TOKEN if one.by_token else BY_PIECE
    script = {"replay": one.id}
    headers = {"authorization": f"Bearer {KEY}"}
    if not one.files:
        asked = {**one.asked, "model": model, "fake": script}
        return shop.http.post(f"/v1/{one.path}", json=asked, headers=headers)
    content = PNG if one.path.startswith("images") else wav(SECONDS)
    asked = {**one.asked, "model": model, "fake": json.dumps(script)}
    files = [(name, ("a.bin", content, "application/octet-stream")) for name in one.files]
    post = shop.http.build_request
    request = post("POST", f"/v1/{one.path}", data=asked, files=files, headers=headers)
    request.read()
    return shop.http.send(request)


def tokens_of(usage):
    """Return the tokens of each bucket; one vendor counts sound beside its prompt."""
    details = usage.get("input_tokens_details") or usage.get("input_token_details") or {}
    made = usage.get("output_tokens_details") or {}
    sent = usage.get("input_tokens", usage.get("prompt_tokens", 0))
    written = usage.get("output_tokens", usage.get("completion_tokens") or 0)
    audio, image = details.get("audio_tokens", 0), details.get("image_tokens", 0)
    if usage.get("prompt_audio_seconds"):
        audio = usage["prompt_tokens_details"]["audio_tokens"]
        sent += audio
    drawn = made.get("image_tokens", 0)
    return {
        "input": sent - audio - image,
        "audio_input": audio,
        "image_input": image,
        "output": written - drawn,
        "image_output": drawn,
    }


def expected(one):
    if one.by_token:
        parts = sum(TOKENS[name] * count for name, count in tokens_of(one.usage).items())
    else:
        nano = REQUEST
        if one.path == "audio/speech":
            nano += CHARACTER * len(one.asked["input"])
        elif one.path.startswith("audio"):
            said = one.usage.get("seconds") or one.answer.get("duration") or SECONDS
            nano += SECOND * math.ceil(said)
        elif one.path.startswith("images"):
            size = one.asked.get("size") or one.answer.get("size")
            nano += len(one.answer["data"]) * (SQUARE if size == "1024x1024" else OTHER)
        parts = nano * 1_000_000
    return -(-parts * NUM // (DEN * 1_000_000))


def test_every_recording_comes_back_untouched_and_is_charged_exactly(shop, recordings):
    failed = {}
    for one in recordings:
        if one.status != 200:
            continue
        response = play(shop, one)
        receipt = shop.receipt(KEY, response.headers["x-request-id"])
        whole, _, part = receipt["charge"].partition(".")
        charge = int(whole) * 10**9 + int(part.ljust(9, "0"))
        found = (response.status_code, response.content, charge, receipt["end_state"])
        wanted = (200, one.wire, expected(one), "complete")
        kind = response.headers["content-type"].partition(";")[0]
        if found != wanted or kind != one.kind.partition(";")[0]:
            failed[f"{one.id} {one.path}"] = (
                found[0],
                found[2:],
                wanted[2:],
                receipt,
                found[1][:90],
            )
    assert not failed, json.dumps(failed, indent=1, default=str)
    assert sum(one.status == 200 for one in recordings) >= 43


def test_requests_reach_the_vendor_as_they_are(shop, recordings):
    for one in recordings:
        response = play(shop, one)
        call = shop.books.calls[-1]
        assert call.path == f"/v1/{one.path}"
        assert call.body == response.request.content
        assert call.header(b"content-type") == response.request.headers["content-type"]


def test_recorded_refusals_are_free(shop, recordings):
    refused = [one for one in recordings if one.status != 200]
    for one in refused:
        response = play(shop, one)
        message = response.json()["error"]["message"]
        assert response.status_code == (400 if one.status == 400 else 502)
        assert (message == one.answer["error"]["message"]) == (one.status == 400)
        receipt = shop.receipt(KEY, response.headers["x-request-id"])
        assert (float(receipt["charge"]), receipt["end_state"]) == (0, "upstream_error")
    assert len(refused) >= 5
