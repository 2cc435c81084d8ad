"""Owns calls of embeddings, images, audio and moderations by the SDKs (see `sdk_calls`)."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from tests.services.sdk_received import gemini_client, openai_client
from tollbridge.demo.fake_samples import PNG, wav

_PROMPT = "A bridge at dawn."
_SECONDS = 3


@contextlib.contextmanager
def _old_calls() -> Iterator[None]:
    """Let calls be made that the SDK warns of: customers still make them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def embed(base_url: str, key: str, model: str) -> Any:
    """Embed two texts; the SDK asks for base64 by itself, which its own strict mode does not take."""
    with openai_client(base_url, key, _strict_response_validation=False) as client:
        return client.embeddings.create(model=model, input=["one", "two"])


def embed_floats(base_url: str, key: str, model: str) -> Any:
    """Embed two texts as plain numbers."""
    with openai_client(base_url, key) as client:
        return client.embeddings.create(model=model, input=["one", "two"], encoding_format="float")


def gemini_embed(base_url: str, key: str, model: str) -> Any:
    """Embed two texts by Google's SDK."""
    with gemini_client(base_url, key) as client:
        return client.models.embed_content(model=model, contents=["one", "two"])


def draw(base_url: str, key: str, model: str) -> Any:
    """Have two images made."""
    with openai_client(base_url, key) as client:
        return client.images.generate(model=model, prompt=_PROMPT, n=2, size="1024x1024")


def draw_streamed(base_url: str, key: str, model: str) -> list[Any]:
    """Have an image made, with two partial ones before it."""
    with openai_client(base_url, key) as client:
        make = client.images.generate
        return list(make(model=model, prompt=_PROMPT, stream=True, partial_images=2))


def edit(base_url: str, key: str, model: str) -> Any:
    """Have an image changed; it is sent as a form."""
    with openai_client(base_url, key) as client:
        return client.images.edit(model=model, prompt=_PROMPT, image=("a.png", PNG, "image/png"))


def vary(base_url: str, key: str, model: str) -> Any:
    """Have a variation of an image made."""
    with openai_client(base_url, key) as client, _old_calls():
        return client.images.create_variation(
            model=model, image=("a.png", PNG, "image/png"), response_format="b64_json"
        )


def speak(base_url: str, key: str, model: str, form: Any = "mp3") -> bytes:
    """Have a text spoken in a format and return the audio."""
    with openai_client(base_url, key) as client:
        make = client.audio.speech.create
        return make(model=model, voice="alloy", input=_PROMPT, response_format=form).read()


def transcribe(base_url: str, key: str, model: str, form: Any = "json") -> Any:
    """Have three seconds written down in a format."""
    file = ("a.wav", wav(_SECONDS), "audio/wav")
    with openai_client(base_url, key) as client:
        return client.audio.transcriptions.create(model=model, file=file, response_format=form)


def transcribe_streamed(base_url: str, key: str, model: str) -> list[Any]:
    """Have three seconds written down as a stream of events."""
    file = ("a.wav", wav(_SECONDS), "audio/wav")
    with openai_client(base_url, key) as client:
        return list(client.audio.transcriptions.create(model=model, file=file, stream=True))


def translate(base_url: str, key: str, model: str) -> Any:
    """Have three seconds translated."""
    file = ("a.wav", wav(_SECONDS), "audio/wav")
    with openai_client(base_url, key) as client, _old_calls():
        return client.audio.translations.create(model=model, file=file)


def moderate(base_url: str, key: str, model: str, text: str = "A quiet bridge.") -> Any:
    """Have a text judged."""
    with openai_client(base_url, key) as client:
        return client.moderations.create(model=model, input=text)
