"""Owns the dialects of OpenAI's image, audio and moderation endpoints. Pure: values in, values out."""

from typing import Final, cast

from tollbridge.catalog.snapshot import Model
from tollbridge.protocols import images, moderations, speech, transcriptions
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.images import ImageAsk, ImageLimits, Operation
from tollbridge.protocols.json_peek import TopLevel
from tollbridge.protocols.media_request import Source
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.moderations import ModerationAsk
from tollbridge.protocols.multipart import Form, is_form, read_form
from tollbridge.protocols.speech import SpeechAsk
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.transcriptions import TranscriptionAsk
from tollbridge.protocols.usage import Usage
from tollbridge.relay.dialects import Dialect
from tollbridge.relay.media import Media
from tollbridge.relay.media_taps import Drawing, Hearing, Speaking, Told
from tollbridge.relay.talk import KEEPALIVE

SOUND_PIECE_BYTES: Final = 256 * 1024
"""A sound is one piece of media for every started one of these: its tokens grow with its length."""


class Images(Media):
    """Generations, edits and variations; a request is JSON or a form."""

    images = True
    media_out = True
    # Minutes may pass between two images, which come as events or not at all.
    heartbeat = KEEPALIVE

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"/v1/images/{operation}".encode())
        self._operation = operation

    def source(self, body: bytes, content_type: bytes) -> Source:
        """Return the fields of either kind of request."""
        return read_form(body, content_type) if is_form(content_type) else super().source(body, b"")

    def ask_of(self, source: Source) -> ImageAsk:
        """Read what is asked for."""
        return images.read_ask(source, self._operation)

    def streams(self, ask: ImageAsk) -> bool:
        """Say whether events were asked for."""
        return ask.stream

    def copies(self, ask: ImageAsk) -> int:
        """Return how many images are made."""
        return ask.n

    def counted(self, ask: ImageAsk) -> Counted:
        """Return the images."""
        return images.counted(ask)

    def limits(self, ask: ImageAsk, model: Model) -> None:
        """Raise Refused by the model's sizes, its most images and its longest prompt."""
        images.check_image(ask, ImageLimits(model.sizes, model.n_max, model.prompt_max))

    def carried(self, _body: bytes, ask: ImageAsk) -> BlobScan:
        """Return the images that go in."""
        return ask.blobs

    def facts_of(self, body: bytes, content_type: bytes, ask: ImageAsk) -> ReplyFacts:
        """Read a whole answer."""
        return images.read_reply(body, content_type, ask)

    def watch(self, ask: ImageAsk, told: Told) -> Tap:
        """Return what watches images as they are made."""
        return Drawing(ask, told)

    def guess(self, ask: ImageAsk, _text_bytes: int) -> Usage:
        """Return what such images usually take."""
        return images.estimate(ask)


class Speech(Media):
    """Text in, sound out: as its own bytes, or as events with it."""

    media_out = True

    def ask_of(self, source: Source) -> SpeechAsk:
        """Read what is to be spoken."""
        return speech.read_ask(cast("TopLevel", source))

    def streams(self, _ask: SpeechAsk) -> bool:
        """Sound can be heard before its end, events or not."""
        return True

    def counted(self, ask: SpeechAsk) -> Counted:
        """Return the characters."""
        return speech.counted(ask)

    def limits(self, ask: SpeechAsk, model: Model) -> None:
        """Raise Refused by the model's longest text."""
        speech.check_text(ask, model.text_max)

    def carried(self, _body: bytes, _ask: SpeechAsk) -> BlobScan:
        """Return nothing: it is all text."""
        return BlobScan()

    def facts_of(self, body: bytes, content_type: bytes, ask: SpeechAsk) -> ReplyFacts:
        """Read a whole answer."""
        return speech.read_reply(body, content_type, ask)

    def watch(self, ask: SpeechAsk, told: Told) -> Tap:
        """Return what watches a sound."""
        return Speaking(ask, told)

    def guess(self, ask: SpeechAsk, _text_bytes: int) -> Usage:
        """Return what such a text usually takes."""
        return speech.estimate(ask)


class Transcripts(Media):
    """A sound in, its text out; a request is a form."""

    def source(self, body: bytes, content_type: bytes) -> Form:
        """Return the form."""
        return read_form(body, content_type)

    def ask_of(self, source: Source) -> TranscriptionAsk:
        """Read what is to be heard."""
        return transcriptions.read_ask(cast("Form", source))

    def streams(self, ask: TranscriptionAsk) -> bool:
        """Say whether events were asked for."""
        return ask.stream

    def counted(self, ask: TranscriptionAsk) -> Counted:
        """Return the seconds."""
        return transcriptions.counted(ask)

    def carried(self, _body: bytes, ask: TranscriptionAsk) -> BlobScan:
        """Return the sound."""
        return BlobScan(count=1 + ask.file_bytes // SOUND_PIECE_BYTES, bytes=ask.file_bytes)

    def facts_of(self, body: bytes, content_type: bytes, ask: TranscriptionAsk) -> ReplyFacts:
        """Read a whole answer."""
        return transcriptions.read_reply(body, content_type, ask)

    def watch(self, ask: TranscriptionAsk, told: Told) -> Tap:
        """Return what watches a transcript."""
        return Hearing(ask, told)

    def guess(self, ask: TranscriptionAsk, text_bytes: int) -> Usage:
        """Return what such a sound usually takes."""
        return transcriptions.estimate(ask, text_bytes)


class Moderations(Media):
    """A judgement of texts and images."""

    has_output = False

    def ask_of(self, source: Source) -> ModerationAsk:
        """Read what is to be judged."""
        return moderations.read_ask(cast("TopLevel", source))

    def facts_of(self, body: bytes, content_type: bytes, ask: ModerationAsk) -> ReplyFacts:
        """Read a whole answer."""
        return moderations.read_reply(body, content_type, ask)

    def guess(self, ask: ModerationAsk, _text_bytes: int) -> Usage:
        """Return nothing: what is not told is free."""
        return moderations.estimate(ask)


_MEDIA: Final = (
    Images("generations"),
    Images("edits"),
    Images("variations"),
    Speech(b"/v1/audio/speech"),
    Transcripts(b"/v1/audio/transcriptions"),
    Transcripts(b"/v1/audio/translations"),
    Moderations(b"/v1/moderations"),
)
# Each takes its own kind of ask, and only ever gets back what its own `read` returned.
MEDIA: Final = {one.path.decode(): cast("Dialect", one) for one in _MEDIA}
"""The dialects by path."""
