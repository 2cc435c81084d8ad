"""Proof of privacy where our own code breaks with a body in its hands, at every step of a call.

The gateway is the real one but for its dialect: one whose methods raise what they were given, in
the exception's text, its notes, its cause and its context.
"""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.aviary import JSON, Aviary, open_aviary, prompt, spelt
from tests.services.gateway import chat
from tollbridge.demo.fake_reply import recording

pytestmark = pytest.mark.asyncio(loop_scope="session")

BREAKING = '''
    """Runs at the start of a process: gives the route of chat a dialect that breaks on demand."""

    from tollbridge.protocols.chat_stream import ChatTap
    from tollbridge.relay import chat_dialects, routes


    class Broken(ValueError):
        """A fault that holds what it broke on."""


    def breaks(step, data):
        told = bytes(data)
        if b"break-" + step not in told:
            return
        try:
            told.decode("utf-7" if b"break-group" in told else "utf-8")
            raise KeyError(told)
        except (KeyError, UnicodeDecodeError) as error:
            error.add_note(repr(told))
            faults = [Broken(told.decode(), error), OSError(5, repr(told), told)]
            raise ExceptionGroup(told.decode(), faults) from error


    class BreakingTap(ChatTap):
        __slots__ = ()

        def feed(self, data):
            breaks(b"feed", data)
            return super().feed(data)


    class Breaking(type(chat_dialects.CHAT)):
        def read(self, exchange):
            breaks(b"ask", exchange.body)
            return super().read(exchange)

        def prepare(self, top, *others):
            breaks(b"prepare", top.body)
            return super().prepare(top, *others)

        def read_reply(self, body, *others):
            breaks(b"reply", body)
            return super().read_reply(body, *others)

        def tap(self, *others):
            tap = super().tap(*others)
            tap.__class__ = BreakingTap
            return tap


    routes._ROUTES = {**routes._ROUTES, "/v1/chat/completions": Breaking()}
'''


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aviary(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aviary]:
    """Run a gateway with the dialect that breaks."""
    async with open_aviary(tmp_path_factory.mktemp("breaks"), BREAKING) as one:
        yield one


async def test_s0_privacy_the_breaking_dialect_serves_as_long_as_it_does_not_break(aviary: Aviary):
    for stream in (False, True):
        assert (await aviary.call(chat(stream=stream))).status == 200


@pytest.mark.parametrize("kind", ["", "-group"])
@pytest.mark.parametrize(
    ("step", "stream", "status"),
    [
        ("ask", False, 500),
        ("ask", True, 500),
        ("prepare", False, 500),
        ("prepare", True, 500),
        ("reply", False, 500),
        ("feed", True, 502),
    ],
)
async def test_s0_privacy_a_break_with_a_body_in_hand_leaves_no_trace(
    aviary: Aviary, step: str, stream: bool, status: int, kind: str
):
    canary = aviary.canary()
    word = f"break-{step}{kind.replace('-', ' break-')}"
    answering = step in {"reply", "feed"}
    fake = {"text": f"{word} {canary}" if answering else canary}
    body = prompt(canary, stream=stream, fake=fake)
    if not answering:
        body["stop"] = [word]
    before = aviary.gateway.wallet()[0]
    told = len(aviary.gateway.log.read_text())
    for raw in spelt(body, canary).values():
        answer = await aviary.call(raw)
        assert answer.status == status, answer.body
        assert word.encode() not in answer.body
        # A fault in a callback of a connection has no call at hand; the call's own row tells of it.
        assert step == "feed" or answer.headers["x-request-id"] in aviary.gateway.log.read_text()
    aviary.gateway.wait_settled()
    assert aviary.gateway.wallet()[0] == before, "a call that we broke was charged"
    line = aviary.gateway.log.read_text()[told:]
    assert re.search(r"error|critical", line) and "in breaks" in line, "nobody would know of it"
    assert "Broken" in line and word not in line
    await aviary.assert_no_trace()


async def test_s0_privacy_a_break_behind_content_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    text = f"{canary} " * 20 + "break-feed"
    fake = {"text": text, "event_delay_ms": 10}
    answer = await aviary.call(prompt(canary, stream=True, fake=fake))
    assert answer.status == 200 and canary.encode() in answer.body
    assert b"stream_broken" in answer.body and b"break-feed" not in answer.body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_a_break_while_reading_a_refusal_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    deep = "[" * 100_000 + f'"{canary}"' + "]" * 100_000
    for body in (deep, f'{{"error":{deep}}}', f'{{"error":{{"message":{deep}}}}}'):
        for status in (200, 400, 500):
            aviary.fake.books.recordings["deep"] = recording(status, JSON, [body.encode()])
            answer = await aviary.call(prompt(canary, fake={"replay": "deep"}))
            assert answer.status in {400, 502}, answer.body
    await aviary.assert_no_trace()
