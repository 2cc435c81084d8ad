"""Proof of privacy on every surface to every platform (product.md, S0-privacy).

What is said in Responses, Messages, Gemini, media and realtime stays as little as what is said in Chat
(test_canary.py): whole and streamed, answered, refused with an echo, broken in the middle.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.faults.aviary import Aviary, open_aviary, prompt
from tests.faults.till import request
from tests.services.realtime import MODEL as VOICE
from tests.services.realtime import FakeRealtime
from tollbridge.demo.fake_books import AccountScript

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLATFORMS = ("openai", "compatible", "anthropic", "gemini")
TEXTS = ("chat", "responses", "messages", "gemini")
MODELS = ("gpt-test", "gpt-image-1", "gpt-4o-mini-tts", "whisper-1", VOICE)
_KINDS = ("input", "output", "audio_input", "audio_output", "image_input", "image_output")


def _catalogue(vendor: str, voice: str, keys: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    text = "[site]\nallow_private_upstreams = true\n"
    for name in MODELS:
        text += f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
        text += "".join(f'{rate} = "1.00"\n' for rate in _KINDS) + 'second = "0.0001"\n'
    for name in keys:
        platform = name if name in {"anthropic", "gemini"} else "openai"
        text += f'[[channel]]\nname = "{name}"\nplatform = "{platform}"\nmodels = ["*"]\n'
        text += f'capabilities = ["images"]\n[[channel.account]]\nname = "{name}"\n'
        text += f'base_url = "{voice if name == "voice" else vendor}"\n'
        text += f'secret = "{secrets[name]}"\n'
        text += f"compatible = {'true' if name == 'compatible' else 'false'}\n"
    text += '[[user]]\nemail = "talker@example.com"\ncredit = "500.00"\n'
    for name, key in keys.items():
        text += f'[[user.key]]\nname = "{name}"\nsecret = "{key}"\nchannel = "{name}"\n'
    return text


class Menagerie:
    """An aviary with a channel of each platform, and a vendor of realtime sessions."""

    def __init__(self, aviary: Aviary, voice: FakeRealtime) -> None:
        self.aviary = aviary
        self.voice = voice
        names = (*PLATFORMS, "voice")
        self.keys = {name: f"sk-{aviary.canary()}-{at:024}" for at, name in enumerate(names, 1)}
        self.secrets = {name: aviary.canary() for name in names}

    def furnish(self, vendor: str, voice: str) -> None:
        """Add the channels to the running gateway; the file, which holds secrets, goes again."""
        gateway = self.aviary.gateway
        gateway.apply(_catalogue(vendor, voice, self.keys, self.secrets))
        (gateway.folder / "config.toml").unlink()

    def at(self, platform: str, **script: Any) -> None:
        """Call a platform from now on, which is to answer so."""
        self.aviary.key = self.keys[platform]
        self.aviary.fake.books.accounts[self.secrets[platform]] = AccountScript(script)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def menagerie(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Menagerie]:
    voice = FakeRealtime()
    address = await voice.start()
    try:
        async with open_aviary(tmp_path_factory.mktemp("menagerie")) as aviary:
            one = Menagerie(aviary, voice)
            vendor = aviary.gateway.rows("SELECT base_url FROM accounts")[0]["base_url"]
            await asyncio.to_thread(one.furnish, vendor, address)
            async with asyncio.timeout(20):
                one.at("openai")
                while (await aviary.call(prompt("hello"))).status != 200:
                    await asyncio.sleep(0.02)
            yield one
    finally:
        await voice.stop()


def said(surface: str, canary: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Return path and body of a call that has a canary wherever this surface has room for one."""
    schema = {"type": "object", "properties": {canary: {"type": "string", "description": canary}}}
    if surface == "chat":
        turns = [{"role": "system", "content": canary}, {"role": "user", "content": canary}]
        function = {"name": canary, "description": canary, "parameters": schema}
        tools = [{"type": "function", "function": function}]
        plain = {"model": "gpt-test", "messages": turns, "tools": tools, "stop": [canary]}
        return "/v1/chat/completions", {**plain, "user": canary, "stream": stream}
    if surface == "responses":
        turn = {"role": "user", "content": [{"type": "input_text", "text": canary}]}
        tool = {"type": "function", "name": canary, "description": canary, "parameters": schema}
        plain = {"model": "gpt-test", "input": [turn], "instructions": canary, "tools": [tool]}
        named = dict.fromkeys(("user", "prompt_cache_key", "safety_identifier"), canary)
        return "/v1/responses", {**plain, **named, "metadata": {canary: canary}, "stream": stream}
    if surface == "messages":
        text = [{"type": "text", "text": canary}]
        tool = {"name": canary, "description": canary, "input_schema": schema}
        plain = {"model": "gpt-test", "max_tokens": 99, "system": canary, "tools": [tool]}
        plain["messages"] = [{"role": "user", "content": text}]
        named = {"stop_sequences": [canary], "metadata": {"user_id": canary}}
        return "/v1/messages", {**plain, **named, "stream": stream}
    action = "streamGenerateContent?alt=sse" if stream else "generateContent"
    declared = {"name": canary, "description": canary, "parameters": schema}
    return f"/v1beta/models/gpt-test:{action}", {
        "contents": [{"role": "user", "parts": [{"text": canary}]}],
        "systemInstruction": {"parts": [{"text": canary}]},
        "tools": [{"functionDeclarations": [declared]}],
        "generationConfig": {"stopSequences": [canary], "maxOutputTokens": 99},
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("surface", TEXTS)
async def test_s0_privacy_an_answered_call_leaves_no_trace(
    menagerie: Menagerie, surface: str, stream: bool
):
    aviary = menagerie.aviary
    for platform in PLATFORMS:
        asked, told = aviary.canary(), aviary.canary()
        menagerie.at(platform, text=told, thought=told, tool_calls=1, model="gpt-test")
        path, body = said(surface, asked, stream=stream)
        answer = await aviary.call(body, path=path)
        assert answer.status == 200, (platform, answer.body)
        assert told.encode() in answer.body, platform
        assert asked.encode() in aviary.fake.books.calls[-1].body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("surface", TEXTS)
async def test_s0_privacy_an_upstream_that_fails_leaves_no_trace(
    menagerie: Menagerie, surface: str, stream: bool
):
    aviary = menagerie.aviary
    for platform in PLATFORMS:
        for status in (400, 401, 404, 413, 429, 500, 529):
            asked = aviary.canary()
            menagerie.at(platform, status=status, echo=True)
            path, body = said(surface, asked, stream=stream)
            answer = await aviary.call(body, path=path)
            assert answer.status in {400, 413, 502, 503}
            # Only what is the client's own mistake repeats its words.
            assert asked.encode() not in answer.body or status in {400, 413}
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


@pytest.mark.parametrize("surface", TEXTS)
async def test_s0_privacy_a_stream_that_breaks_leaves_no_trace(menagerie: Menagerie, surface: str):
    aviary = menagerie.aviary
    for platform in PLATFORMS:
        for broken in ("error_event_after", "cut_after"):
            asked, told = aviary.canary(), aviary.canary()
            text = f"{told} " * 30
            menagerie.at(platform, text=text, error_text=told, error_kind=told, **{broken: 12})
            path, body = said(surface, asked, stream=True)
            answer = await aviary.call(body, path=path)
            assert answer.status == 200 and told.encode() in answer.body, (platform, broken)
            assert b"The stream broke" in answer.body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_refusals_of_other_surfaces_leave_no_trace(menagerie: Menagerie):
    aviary = menagerie.aviary
    menagerie.at("openai")
    for surface in TEXTS:
        canary = aviary.canary()
        path, body = said(surface, canary, stream=False)
        odd = {**body, "model": canary, "max_tokens": canary, "messages": canary, "input": canary}
        status = (await aviary.call(odd, path=path.replace("gpt-test", canary))).status
        assert status in {400, 404}
        assert (await aviary.call(canary.encode(), path=path)).status == 400
    await aviary.assert_no_trace()


def form(canary: str, **fields: str) -> tuple[bytes, str]:
    """Return a form with a file, and its content type; the canary is in everything there is."""
    parts = [
        f'--{canary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**fields, canary: canary}.items()
    ]
    field = "image" if fields["model"] == "gpt-image-1" else "file"
    head = f'content-disposition: form-data; name="{field}"; filename="{canary}.png"'
    parts.append(f"--{canary}\r\n{head}\r\ncontent-type: image/png\r\n\r\n{canary}\r\n")
    return "".join(
        (*parts, f"--{canary}--\r\n")
    ).encode(), f"multipart/form-data; boundary={canary}"


async def _post_form(aviary: Aviary, path: str, canary: str, **fields: str) -> bytes:
    raw, kind = form(canary, **fields)
    lines = (f"authorization: Bearer {aviary.key}", f"content-type: {kind}")
    answer = await aviary.ask(request(path, raw, *lines))
    assert answer.status in {200, 400, 502}, answer.body
    aviary.tids.append(answer.headers["x-request-id"])
    return answer.body if answer.status == 200 else b""


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
async def test_s0_privacy_forms_leave_no_trace(menagerie: Menagerie, fails: bool):
    aviary = menagerie.aviary
    for path, fields in {
        "/v1/images/edits": {"model": "gpt-image-1"},
        "/v1/audio/transcriptions": {"model": "whisper-1", "language": "en"},
        "/v1/audio/translations": {"model": "whisper-1"},
    }.items():
        asked, told = aviary.canary(), aviary.canary()
        menagerie.at("openai", **({"status": 400, "echo": True} if fails else {"text": told}))
        whole = await _post_form(aviary, path, asked, **fields, prompt=asked)
        assert bool(whole) != fails
        assert asked.encode() in aviary.fake.books.calls[-1].body
        assert fails or "image" in path or told.encode() in whole
        # One that cannot be read, cut in the middle of a part.
        broken = form(asked, **fields)[0][:-90]
        lines = (f"authorization: Bearer {aviary.key}", f"content-type: {form(asked, **fields)[1]}")
        assert (await aviary.ask(request(path, broken, *lines))).status == 400
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
async def test_s0_privacy_media_leave_no_trace(menagerie: Menagerie, fails: bool):
    aviary = menagerie.aviary
    for path, body in {
        "/v1/embeddings": {"model": "gpt-test", "input": ["{}"], "user": "{}"},
        "/v1/images/generations": {"model": "gpt-image-1", "prompt": "{}", "user": "{}"},
        "/v1/audio/speech": {"model": "gpt-4o-mini-tts", "input": "{}", "instructions": "{}",
                             "voice": "alloy"},
        "/v1/moderations": {"model": "gpt-test", "input": "{}"},
        "/v1beta/models/gpt-test:embedContent": {"content": {"parts": [{"text": "{}"}]}},
    }.items():  # fmt: skip
        asked = aviary.canary()
        platform = "gemini" if "v1beta" in path else "openai"
        menagerie.at(platform, **({"status": 400, "echo": True} if fails else {"text": asked}))
        raw = json.dumps(body).replace("{}", asked).encode()
        answer = await aviary.call(raw, path=path)
        assert answer.status == (400 if fails else 200), (path, answer.body)
        assert asked.encode() in aviary.fake.books.calls[-1].body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def _heard(client: ClientConnection) -> str:
    """Return all that a session says until its response is done or it is over."""
    heard = ""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(20):
            while "response.done" not in heard:
                heard += str(await client.recv())
    return heard


async def test_s0_privacy_a_realtime_session_leaves_no_trace(menagerie: Menagerie):
    aviary, voice = menagerie.aviary, menagerie.voice
    url = f"ws://127.0.0.1:{aviary.gateway.port}/v1/realtime?model={VOICE}"
    headers = {"Authorization": f"Bearer {menagerie.keys['voice']}"}
    aviary.key = menagerie.keys["voice"]
    for role in ("whole", "transcribed", "cut_within", "close"):
        canary = aviary.canary()
        voice.forget()
        voice.roles = [role]
        async with connect(url, additional_headers=headers, proxy=None) as client:
            item = {"type": "message", "content": [{"type": "input_text", "text": canary}]}
            audio = base64.b64encode(canary.encode()).decode()
            await client.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await client.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            await client.send(json.dumps({"type": canary, canary: canary}))
            await client.send(json.dumps({"type": "response.create", "instructions": canary}))
            heard = await _heard(client)
        assert canary in heard, (role, heard[-500:])
        aviary.gateway.wait_settled()
        await aviary.assert_no_trace()
