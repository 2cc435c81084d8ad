"""Owns a small real mail server on loopback: STARTTLS, TLS from the start, AUTH, refusals, silence."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Received:
    """One mail that was taken, and how it came."""

    sender: str
    to: list[str]
    content: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return cast(EmailMessage, message_from_bytes(self.content, policy=policy.default))


@dataclass
class MailServer:
    """What the server does; change it between mails. `answers` holds replies by command."""

    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    hangs_at: str = ""
    mails: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                await _Conversation(self, reader, writer).run()
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            # The loop closes the socket in its next turn.
            await asyncio.sleep(0)


class _Conversation:
    def __init__(self, server: MailServer, reader, writer) -> None:
        self.server = server
        self.reader: asyncio.StreamReader = reader
        self.writer: asyncio.StreamWriter = writer
        self.encrypted = server.tls is not None
        self.user: str | None = None
        self.sender = ""
        self.to: list[str] = []

    async def run(self) -> None:
        await self.say("220 mail.test ready")
        while line := await self.reader.readline():
            text = line.decode().strip()
            word = text.partition(" ")[0].upper()
            self.server.commands.append(word)
            if self.server.hangs_at == word:
                await self.reader.read()
                return
            if word in self.server.answers:
                await self.say(self.server.answers[word])
                continue
            await getattr(self, f"on_{word.lower()}")(text)
            if word == "QUIT":
                return

    async def say(self, *lines: str) -> None:
        self.writer.write(b"".join(f"{line}\r\n".encode() for line in lines))
        await self.writer.drain()

    async def on_ehlo(self, _text: str) -> None:
        offers = ["mail.test", "8BITMIME"]
        if self.server.starttls is not None and not self.encrypted:
            offers.append("STARTTLS")
        if self.server.login is not None:
            offers.append("AUTH PLAIN")
        await self.say(*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")

    async def on_starttls(self, _text: str) -> None:
        assert self.server.starttls is not None
        await self.say("220 go ahead")
        await self.writer.start_tls(self.server.starttls)
        self.encrypted = True

    async def on_auth(self, text: str) -> None:
        _, user, password = base64.b64decode(text.split()[2]).decode().split("\0")
        if (user, password) != self.server.login:
            await self.say("535 no")
            return
        self.user = user
        await self.say("235 welcome")

    async def on_mail(self, text: str) -> None:
        self.sender = _address(text)
        self.to = []
        if self.server.login is not None and self.user is None:
            await self.say("530 who are you")
            return
        await self.say("250 ok")

    async def on_rcpt(self, text: str) -> None:
        self.to.append(_address(text))
        await self.say("250 ok")

    async def on_data(self, _text: str) -> None:
        await self.say("354 go on")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        content = raw[:-3].replace(b"\r\n..", b"\r\n.")
        mail = Received(self.sender, self.to, content, self.encrypted, self.user)
        self.server.mails.append(mail)
        await self.say(self.server.answers.get("content", "250 taken"))

    async def on_rset(self, _text: str) -> None:
        await self.say("250 ok")

    async def on_quit(self, _text: str) -> None:
        await self.say("221 bye")


def _address(text: str) -> str:
    return text.partition("<")[2].partition(">")[0]


@asynccontextmanager
async def mail_server(**behaviour: object) -> AsyncIterator[MailServer]:
    """Run a mail server on a free port; every conversation is over when this is left."""
    server = MailServer(**behaviour)  # type: ignore[arg-type]
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        talks.add(talk)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server.tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
