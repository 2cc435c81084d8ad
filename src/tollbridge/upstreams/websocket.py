"""Owns opening a WebSocket to an upstream: our own dialling and its rules, then the handshake.

Must not know of accounts, of the realtime protocol or of what becomes of a refusal.
"""

import asyncio
import ssl
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.http11 import Response
from websockets.protocol import Event
from websockets.uri import WebSocketURI

from tollbridge.core.websocket import MESSAGE_MAX, Socket, mute
from tollbridge.upstreams.dial import dial
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.target import Target

_SWITCHING = 101


class Refused(Exception):
    """The upstream answered the handshake with another status: no WebSocket. Its text is empty."""

    def __init__(self, status: int, retry_after: str | None, body: bytes) -> None:
        super().__init__()
        self.status = status
        self.retry_after = retry_after
        self.body = body


class _Opening(Socket):
    """A side that has asked and waits for the answer."""

    def __init__(self, frames: ClientProtocol) -> None:
        super().__init__(frames)
        self.answer: asyncio.Future[Response | None] = self._loop.create_future()

    def opened(self, event: Event) -> None:
        """Take the answer."""
        if isinstance(event, Response):
            self._answered(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that never came is told as None."""
        super().connection_lost(exc)
        self._answered(None)

    def _answered(self, response: Response | None) -> None:
        if not self.answer.done():
            self.answer.set_result(response)


async def open_websocket(
    target: Target,
    path: str,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    connect_s: float,
    answer_s: float,
) -> Socket:
    """Return an open WebSocket to `path` (with its query) of a target.

    `headers` join the handshake. It takes at most `connect_s` to connect and `answer_s` seconds to
    be answered. Raises UpstreamFailure when there is no connection or no proper answer, Refused for
    an answer that is no 101; nothing is left open then, nor when the caller is cancelled.
    """
    uri = WebSocketURI(target.tls, target.host, target.port, target.prefix + path, "")
    frames = ClientProtocol(uri, max_size=MESSAGE_MAX, logger=mute())
    request = frames.connect()
    del request.headers["Host"]
    request.headers["Host"] = target.authority
    for name, value in headers.items():
        request.headers[name] = value
    frames.send_request(request)
    opening = _Opening(frames)
    await dial(target, opening, tls, connect_s)
    try:
        async with asyncio.timeout(answer_s):
            response = await opening.answer
        return _judged(opening, frames, response)
    except TimeoutError:
        opening.abort()
        raise UpstreamFailure(Reason.FIRST_BYTE_TIMEOUT, sent=True) from None
    except BaseException:
        opening.abort()
        raise


def _judged(opening: Socket, frames: ClientProtocol, response: Response | None) -> Socket:
    if response is None:
        reason = Reason.CLOSED_EARLY
        # Something came, but no HTTP.
        if frames.handshake_exc is not None and frames.reader.buffer:
            reason = Reason.PROTOCOL_ERROR
        raise UpstreamFailure(reason, sent=True)
    if response.status_code != _SWITCHING:
        retry_after = response.headers.get_all("Retry-After")
        body = bytes(response.body or b"")
        raise Refused(response.status_code, retry_after[0] if retry_after else None, body)
    if frames.handshake_exc is not None:
        raise UpstreamFailure(Reason.PROTOCOL_ERROR, sent=True)
    return opening
