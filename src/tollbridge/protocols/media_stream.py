"""Owns running streams of media endpoints: images, speech and transcripts as events, sound as bytes.

Each tap knows its call's ask, because counted items come from there. From the end on everything is
held until the call is settled (money.md, "Gate 2"). Must not know money, accounts or sockets.
"""

from typing import Any, Final

from tollbridge.protocols.facts import UpstreamFault, decoded, fault_from
from tollbridge.protocols.images import ImageAsk, made_usage
from tollbridge.protocols.media_usage import (
    image_usage,
    speech_usage,
    sum_of_images,
    transcription_usage,
)
from tollbridge.protocols.speech import SpeechAsk, spoken_usage
from tollbridge.protocols.sse import Framer, FrameTooLarge, data_of
from tollbridge.protocols.tap import FrameTap
from tollbridge.protocols.transcriptions import heard_usage
from tollbridge.protocols.usage import Usage

SOUND_TAIL_BYTES: Final = 16 * 1024
"""The last bytes of a sound that stay here until it is settled, where nothing tells its end."""

_DONE: Final = b"[DONE]"


class EventTap(FrameTap):
    """What the three event streams have in common: their `type`, their errors and the end mark."""

    def _marked(self, data: bytes) -> bool:
        # Base64 and escaped text hold no such quotes.
        return (
            b'done"' in data
            or b'.completed"' in data
            or b'error"' in data
            or b"event: error" in data
            or b"event:error" in data
            or _DONE in data
        )

    def _event(self, name: bytes | None, data: dict[str, Any]) -> None:
        kind = data.get("type")
        if data.get("error") or kind == "error" or name == b"error":
            self._fail(fault_from(data.get("error") or data))
        elif isinstance(kind, str):
            self._read(kind, data)

    def _read(self, _kind: str, _data: dict[str, Any]) -> None:
        """Note what an event of one type says."""

    def _pass(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is not None and data.strip() == _DONE:
            self.done = True
            self._held = True
        return super()._pass(frame)

    def _finish(self) -> None:
        self.content = True
        self.finished = True
        self._held = True


class ImageTap(EventTap):
    """Watches `image_generation.*` and `image_edit.*`: finished with the last image asked for."""

    def __init__(self, ask: ImageAsk) -> None:
        super().__init__()
        self._ask = ask
        self._made = 0
        self._tokens: Usage | None = None
        self._size: Any = None
        self._quality: Any = None

    @property
    def usage(self) -> Usage | None:
        """The images completed so far and their tokens; None before the first."""
        if not self._made:
            return None
        return made_usage(self._ask, self._made, self._size, self._quality, self._tokens)

    def close(self) -> None:
        """Take note of the upstream's end: images that were completed are an answer."""
        super().close()
        if self._made and self.error is None:
            self.finished = True

    def _read(self, kind: str, data: dict[str, Any]) -> None:
        if kind.endswith(".completed"):
            self._made += 1
            self._size, self._quality = data.get("size"), data.get("quality")
            tokens = image_usage(data.get("usage"))
            if tokens is not None:
                self._tokens = sum_of_images(self._tokens, tokens)
            self.content = True
            if self._made >= self._ask.n:
                self._finish()
        elif "partial" in kind:
            self.content = True


class SpeechTap(EventTap):
    """Watches `speech.audio.*`: sound in base64, then the tokens."""

    def __init__(self, ask: SpeechAsk) -> None:
        super().__init__()
        self._ask = ask
        self._figures: Any = None

    @property
    def usage(self) -> Usage | None:
        """The text's characters and, after the end, the tokens; None before the first sound."""
        return spoken_usage(self._ask, self._figures) if self.content else None

    @property
    def usage_seen(self) -> bool:
        """Whether the upstream itself told the tokens."""
        return speech_usage(self._figures) is not None

    def _read(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "speech.audio.done":
            self._figures = data.get("usage")
            self._finish()
        elif kind == "speech.audio.delta" and data.get("audio"):
            self.content = True


class TranscriptionTap(EventTap):
    """Watches `transcript.text.*`: deltas or segments of text, then the tokens or seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Any] = {}

    @property
    def usage(self) -> Usage | None:
        """The tokens and seconds that the last event told."""
        return heard_usage(self._last)

    @property
    def usage_seen(self) -> bool:
        """Whether the upstream itself told the tokens."""
        return transcription_usage(self._last.get("usage")) is not None

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text in whole frames; the last event only repeats them."""
        try:
            every = Framer().feed(frames)
        except FrameTooLarge:
            return 0
        return sum(_text_bytes(decoded(data_of(frame) or b"")) for frame in every)

    def _read(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "transcript.text.done":
            self._last = data
            self._finish()
        elif kind.startswith("transcript.text."):
            self.content = True


def _text_bytes(event: dict[str, Any] | None) -> int:
    if event is None or event.get("type") == "transcript.text.done":
        return 0
    text = event.get("delta") or event.get("text")
    return len(text.encode(errors="replace")) if isinstance(text, str) else 0


class SoundTap:
    """Watches sound that comes as its own bytes, of which only the connection tells the end.

    So the latest bytes are always kept back: without them the call is not complete before it is
    settled.
    """

    def __init__(self, ask: SpeechAsk) -> None:
        self._ask = ask
        self._kept = bytearray()
        self.content = False
        self.done = False
        self.error: UpstreamFault | None = None
        self.finished = False
        self.model: str | None = None
        self.sound_bytes = 0
        """Bytes of the sound so far."""
        self.text_bytes = 0

    @property
    def usage(self) -> Usage | None:
        """The text's characters; None before the first sound."""
        return spoken_usage(self._ask, None) if self.content else None

    @property
    def stream_id(self) -> str:
        """No id: there are no frames."""
        return ""

    @property
    def sequence(self) -> int:
        """No number: there are no frames."""
        return 0

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now: all but the latest."""
        if not data:
            return b""
        self.content = True
        self.sound_bytes += len(data)
        self._kept += data
        ready = len(self._kept) - SOUND_TAIL_BYTES
        if ready <= 0:
            return b""
        out = bytes(self._kept[:ready])
        del self._kept[:ready]
        return out

    def close(self) -> None:
        """Take note of the upstream's end; a broken connection is told to the pump, not here."""
        self.done = self.finished = self.content and self.error is None

    def finish_text(self) -> bytes:
        """Return the bytes that were kept back."""
        return bytes(self._kept)

    def closing(self, *, silent: bool) -> bytes:  # noqa: ARG002 (nothing can end a sound properly)
        """Return the bytes that were kept back."""
        return self.finish_text()

    def produced(self, _frames: bytes) -> int:
        """Return 0: there is no text."""
        return 0

    def unsay(self, frames: bytes) -> None:
        """Nothing was said."""

    def length_ending(self, _used: Usage) -> bytes:
        """Return nothing: a sound is held as a whole and never cut for length."""
        return b""
