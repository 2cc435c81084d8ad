"""Owns the two ends of a realtime session in tests: what they send is put in, what they get is kept."""

import asyncio
import json
from typing import Any

from tollbridge.core.websocket import Message
from tollbridge.protocols.realtime import Used
from tollbridge.relay.checkpoint import Answer


class PaperEnd:
    """An end without a connection. `hears` a message now; `leave` ends it."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.over = False
        self.slow = False
        self.pings = 0
        self.heard: float | None = None
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    @property
    def heard_at(self) -> float:
        """Now, unless the test says otherwise."""
        return asyncio.get_running_loop().time() if self.heard is None else self.heard

    def says(self, kind: str, **fields: Any) -> None:
        """Let it send an event."""
        self._inbox.put_nowait(Message(json.dumps({"type": kind, **fields}).encode()))

    def leave(self) -> None:
        """Let it go."""
        self.over = True
        self._inbox.put_nowait(None)

    async def receive(self) -> Message | None:
        """Return what it sends next."""
        return await self._inbox.get()

    async def send(self, message: Message) -> None:
        """Keep a message."""
        while self.slow:
            await asyncio.sleep(0.001)
        if not self.over:
            self.got.append(message)
            self._changed.set()

    def ping(self) -> None:
        """Count."""
        self.pings += 1

    @property
    def kinds(self) -> list[str]:
        """The types of what it got."""
        return [json.loads(message.data)["type"] for message in self.got]

    async def until(self, count: int) -> None:
        """Wait until it got so many messages."""
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self._changed.clear()
                await self._changed.wait()


class PaperTab:
    """Counts; answers what the test wrote, else MORE."""

    def __init__(self, *answers: Answer) -> None:
        self.told: list[Used] = []
        self.answers = list(answers)

    async def add(self, told: Used) -> Answer:
        """Take usage."""
        await asyncio.sleep(0)
        self.told.append(told)
        return self.answers.pop(0) if self.answers else Answer.MORE
