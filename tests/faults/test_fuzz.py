"""Fuzzing over a real socket: whatever is sent, there is an answer or an end, and nothing is charged.

No 500 may ever come, and no wait is without an end. Every example is kept from costing anything by
its key, which has no money, so that also a request that happens to be right is refused (402).
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.faults.till import CHAT, Till, refused, request
from tests.services.gateway import KEY, catalogue

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    # Bodies are large; that showing one would be long is no fault.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]

BROKE = "sk-broke-" + "0" * 32
PATHS = [CHAT, "/v1/completions"]
EXAMPLES = 300
ANSWER_S = 0.05
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
long_fuzzed = settings(fuzzed, max_examples=100 * EXAMPLES, derandomize=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broke(shared_till: Till) -> None:
    """Give the gateway a second user, who has no money."""
    vendor = shared_till.gateway.rows("SELECT base_url FROM accounts")[0]["base_url"]
    user = '[[user]]\nemail = "broke@example.com"\n[[user.key]]\nname = "broke"\n'
    user += f'secret = "{BROKE}"\nchannel = "main"\n'
    await asyncio.to_thread(shared_till.gateway.apply, catalogue(vendor) + user)
    asked = request(CHAT, b"{}", f"authorization: Bearer {BROKE}")
    async with asyncio.timeout(10):
        while (await shared_till.ask(asked)).status != 400:
            await asyncio.sleep(0.02)


# ---------------------------------------------------------------- bodies

numbers = st.one_of(
    st.integers(-3, 200),
    st.integers(),
    st.sampled_from([10**20, -(2**63), 2**64, 32_768, 129]),
    st.floats(allow_nan=False, allow_infinity=False),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20))
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
part = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "input_audio", ""]) | junk},
    optional={
        "text": junk,
        "image_url": st.fixed_dictionaries({"url": st.text(max_size=40)}) | junk,
        "file": st.fixed_dictionaries({"file_data": st.binary(max_size=60).map(str)}) | junk,
    },
)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool"]) | junk},
    optional={"content": st.text(max_size=60) | st.lists(part, max_size=3) | junk, "name": junk},
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["gpt-test", "gpt-test ", "GPT-TEST", ""]) | junk,
    "messages": st.lists(message, max_size=4) | junk,
    "prompt": st.text(max_size=30) | st.lists(st.text(max_size=5), max_size=5) | junk,
    "max_tokens": numbers | junk,
    "max_completion_tokens": numbers | junk,
    "n": numbers | junk,
    "best_of": numbers | junk,
    "stream": st.booleans() | junk,
    "stream_options": st.fixed_dictionaries({"include_usage": st.booleans() | junk}) | junk,
    "modalities": st.lists(st.sampled_from(["text", "audio", "image"])) | junk,
    "tools": st.lists(junk, max_size=2) | junk,
    "web_search_options": junk,
    "fake": junk,
    "x": junk,
}
near_valid = st.fixed_dictionaries(
    {"model": st.just("gpt-test"), "messages": st.lists(message, min_size=1, max_size=3)},
    optional={name: FIELDS[name] for name in FIELDS if name not in {"model", "messages"}},
)
anything = st.fixed_dictionaries({}, optional=FIELDS)


@st.composite
def bodies(draw: Callable[..., Any]) -> bytes:
    """Draw a request that is right, or nearly, or was damaged on its way."""
    raw = json.dumps(draw(near_valid | anything), ensure_ascii=draw(st.booleans()))
    body = raw.encode("utf-8", "surrogatepass")
    damage = draw(st.sampled_from(["none", "none", "cut", "put", "swap", "twice"]))
    at = draw(st.integers(0, len(body)))
    if damage == "cut":
        return body[:at]
    if damage == "put":
        return body[:at] + draw(st.binary(min_size=1, max_size=4)) + body[at:]
    if damage == "swap":
        return body[:at] + draw(st.sampled_from([b'"', b"\\", b"{", b"]", b","])) + body[at + 1 :]
    return body[:-1] + b"," + body[1:] if damage == "twice" else body


async def judge_body(till: Till, path: str, body: bytes) -> None:
    answer = await till.ask(request(path, body, f"authorization: Bearer {BROKE}"))
    # 403: a chat that wants an image, in a channel that makes none.
    assert answer.status in {400, 402, 403, 404}, (answer.status, answer.body, body)
    event(refused(answer, answer.status)["code"])


@fuzzed
@given(st.sampled_from(PATHS), bodies())
@example(CHAT, b'{"model":"gpt-test","messages":[{"role":"user","content":"hi"}]}')
async def test_any_body_is_judged(shared_till: Till, path: str, body: bytes):
    await judge_body(shared_till, path, body)


@pytest.mark.long
@pytest.mark.timeout(1800)
@long_fuzzed
@given(st.sampled_from(PATHS), bodies())
async def test_any_body_is_judged_for_long(shared_till: Till, path: str, body: bytes):
    await judge_body(shared_till, path, body)


# ---------------------------------------------------------------- heads

token = st.text("abcXYZ019-_!#$", min_size=1, max_size=12)
value = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)
known = st.sampled_from(
    [
        "host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te",
        "authorization", "x-api-key", "x-goog-api-key", "content-type", "x-forwarded-for",
        "accept-encoding", "openai-beta", "trailer", "keep-alive", "proxy-connection",
    ]
)  # fmt: skip
spoken = st.sampled_from(
    [
        "chunked", "identity", "gzip, chunked", "close", "keep-alive", "upgrade", "100-continue",
        "0", "2", "-1", "99999999999", "2, 2", "h2c", f"Bearer {BROKE}", "Bearer", "Basic e30=",
        "application/json", "127.0.0.1, ::1", "",
    ]
)  # fmt: skip
harmless = st.tuples(token, st.text("abc 019-_;=", max_size=40)).map(
    lambda pair: f"x-{pair[0]}: {pair[1]}"
)
PRICED = json.dumps({"model": "gpt-test", "messages": [{}], "prompt": "hi"}).encode()
FRAMED = [
    (body, framing)
    for raw in (PRICED, b"{}")
    for body, framing in (
        (raw, f"content-length: {len(raw)}"),
        (b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw), "transfer-encoding: chunked"),
        (b"1;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nx: y\r\n\r\n" % (raw[:1], len(raw) - 1, raw[1:]),
         "transfer-encoding: chunked"),
    )
]  # fmt: skip
line = st.tuples(known | token, spoken | value).map(lambda pair: f"{pair[0]}: {pair[1]}")
target = st.one_of(
    st.sampled_from([*PATHS, "/v1/models", "/v1/balance", "/healthz", "/", "*", "//v1/models"]),
    st.text("/v1chatmodels.:%?&=#~;\\", max_size=30).map(lambda text: "/" + text),
    value,
)
method = st.sampled_from(["POST", "GET", "HEAD", "PUT", "OPTIONS", "CONNECT", "post"]) | token
version = st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.9", "http/1.1", ""])


MUTATIONS = ("method", "target", "version", "line", "known line", "drop", "body", "ends")


@st.composite
def requests(draw: Callable[..., Any]) -> bytes:
    """Draw the text of a request that is right but for a few things, which need not fit together."""
    changed = draw(st.lists(st.sampled_from(MUTATIONS), max_size=4))
    words = ["POST", draw(st.sampled_from(PATHS)), "HTTP/1.1"]
    for at, (name, strategy) in enumerate(
        (("method", method), ("target", target), ("version", version))
    ):
        if name in changed:
            words[at] = draw(strategy)
    body, framing = draw(st.sampled_from(FRAMED))
    lines = ["host: a", framing, f"authorization: Bearer {BROKE}"]
    for change in changed:
        if "line" in change:
            lines.append(draw(harmless if change == "line" else line))
        elif change == "drop" and lines:
            lines.pop(draw(st.integers(0, len(lines) - 1)))
        elif change == "body":
            body = draw(st.sampled_from([body * 2, body[:-1], b""]) | st.binary())
    end = draw(st.sampled_from(["\n", "\r"])) if "ends" in changed else "\r\n"
    return (
        end.join((" ".join(words), *draw(st.permutations(lines)), "", "")).encode("latin-1") + body
    )


async def judge_bytes(till: Till, raw: bytes, cuts: list[int]) -> None:
    """Send bytes in pieces, say that no more will come, and read whatever is answered to the end."""
    client = await till.connect()
    at = 0
    with contextlib.suppress(ConnectionError):
        for cut in sorted({cut % (len(raw) + 1) for cut in cuts} | {len(raw)}):
            client.send(raw[at:cut])
            await client.writer.drain()
            at = cut
    # Who has said his last word may not be answered, so an answer gets a moment first.
    said = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        said = await asyncio.wait_for(client.reader.read(65_536), ANSWER_S)
    with contextlib.suppress(OSError):
        client.writer.write_eof()
    said += await client.rest()
    client.cut()
    till.clients.remove(client)
    for status in statuses(said):
        event(str(status))
        # 204 answers a preflight.
        assert status in {100, 200, 204, 400, 401, 402, 404, 405, 413}, (status, said, raw)


def statuses(said: bytes) -> list[int]:
    """Return the statuses of all answers in what a connection said."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [\w -]*\r\n", said)]
    assert bool(found) == bool(said), said
    return found


pieces = st.lists(st.integers(0, 4096), max_size=4)


@fuzzed
@given(requests(), pieces)
@example(f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}".encode(), [])
async def test_any_request_is_answered_or_ended(shared_till: Till, raw: bytes, cuts: list[int]):
    await judge_bytes(shared_till, raw, cuts)


@fuzzed
@given(st.binary(max_size=2048), pieces)
async def test_any_bytes_are_answered_or_ended(shared_till: Till, raw: bytes, cuts: list[int]):
    await judge_bytes(shared_till, raw, cuts)


@pytest.mark.long
@pytest.mark.timeout(1800)
@long_fuzzed
@given(requests() | st.binary(max_size=2048), pieces)
async def test_any_bytes_are_answered_for_long(shared_till: Till, raw: bytes, cuts: list[int]):
    await judge_bytes(shared_till, raw, cuts)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_charged(shared_till: Till, broke: None) -> AsyncIterator[None]:
    """Fail a test whose examples moved money, reached the vendor, or hurt the process."""
    async with shared_till.untouched():
        yield
    log = shared_till.gateway.log.read_text()
    assert not re.search(r"\[(error|critical) *\]", log), "something broke inside"
    assert KEY not in log and BROKE not in log
