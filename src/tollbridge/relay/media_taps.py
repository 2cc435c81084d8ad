"""Owns the taps of media streams as the relay needs them: what they tell is what can be charged.

A vendor may answer a wish for a stream with the thing itself: sound as its own bytes, or a whole
document from a model that cannot stream. `of_body` says what watches that. Must not know accounts.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from tollbridge.protocols import images, speech, transcriptions
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.images import ImageAsk
from tollbridge.protocols.media_stream import (
    SOUND_TAIL_BYTES,
    ImageTap,
    SoundTap,
    SpeechTap,
    TranscriptionTap,
)
from tollbridge.protocols.speech import SpeechAsk
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.transcriptions import TranscriptionAsk
from tollbridge.protocols.usage import Usage
from tollbridge.protocols.whole_tap import WholeTap

Told = Callable[[Usage | None], Usage | None]
"""Returns what the upstream told when something that is sold is in it, else None."""

_JSON: Final = b"application/json"
_SOUNDS: Final = (b"audio/", b"video/", b"application/octet-stream", b"binary/octet-stream")
_PAGE: Final = b"text/html"


class Drawing(ImageTap):
    """Images as they are made."""

    def __init__(self, ask: ImageAsk, told: Told) -> None:
        super().__init__(ask)
        self._told = told

    @property
    def usage(self) -> Usage | None:
        """What the upstream told."""
        return self._told(super().usage)

    def of_body(self, content_type: bytes) -> Tap | None:
        """Images come as events or in one document."""
        if not content_type.lower().startswith(_JSON):
            return None
        return WholeTap(
            lambda body: only_told(images.read_reply(body, content_type, self._ask), self._told)
        )


class Speaking(SpeechTap):
    """Sound in events; or as its own bytes, which is what most clients ask for."""

    def __init__(self, ask: SpeechAsk, told: Told) -> None:
        super().__init__(ask)
        self._told = told

    @property
    def usage(self) -> Usage | None:
        """What the upstream told."""
        return self._told(super().usage)

    def of_body(self, content_type: bytes) -> Tap | None:
        """Return what watches a sound, or a document with a sound in it."""
        kind = content_type.lower()
        if not kind or kind.startswith(_SOUNDS):
            return Sound(self._ask, self._told)
        if not kind.startswith(_JSON):
            return None
        return WholeTap(
            lambda body: only_told(speech.read_reply(body, content_type, self._ask), self._told)
        )


class Hearing(TranscriptionTap):
    """A transcript in events, or as a whole from models that cannot stream."""

    def __init__(self, ask: TranscriptionAsk, told: Told) -> None:
        super().__init__()
        self._ask = ask
        self._told = told

    @property
    def usage(self) -> Usage | None:
        """What the upstream told."""
        return self._told(super().usage)

    def of_body(self, content_type: bytes) -> Tap | None:
        """Return what watches a document, plain text or subtitles."""
        if content_type.lower().startswith(_PAGE):
            return None
        return WholeTap(
            lambda body: only_told(
                transcriptions.read_reply(body, content_type, self._ask), self._told
            )
        )


class Sound(SoundTap):
    """Sound as its own bytes. Until some of them pass, another account may be tried."""

    def __init__(self, ask: SpeechAsk, told: Told) -> None:
        super().__init__(ask)
        self._told = told

    @property
    def usage(self) -> Usage | None:
        """What is known of what was used; None before the first sound."""
        known = speech.spoken_usage(self._ask, None) if self.sound_bytes else None
        return self._told(known)

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that may go to the client now."""
        out = super().feed(data)
        self.content = self.sound_bytes > SOUND_TAIL_BYTES
        return out

    def close(self) -> None:
        """Take note of the upstream's end."""
        self.done = self.finished = self.sound_bytes > 0


def only_told(facts: ReplyFacts, told: Told) -> ReplyFacts:
    """Return the facts without a usage that tells nothing of what is sold."""
    return replace(facts, usage=told(facts.usage))
