"""The official SDKs' media calls, and their errors, against the pretend vendor."""

import anthropic
import openai
import pytest
from google.genai import errors

from tests.services import sdk_media as media
from tests.services.sdk_calls import CALLS
from tests.services.sdk_received import anthropic_client, gemini_client, openai_client
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_embeddings import vector
from tollbridge.demo.fake_samples import MP3, PNG_BASE64
from tollbridge.demo.fake_speech import REFUSAL

WORDS = "The bridge is open and the toll is paid."
MODELS = {"chat": "m", "responses": "m", "messages": "claude-test", "gemini": "gemini-test"}
ERRORS = {
    "chat": openai.APIStatusError,
    "responses": openai.APIStatusError,
    "messages": anthropic.APIStatusError,
    "gemini": errors.APIError,
}


def test_embeddings(vendor):
    packed = media.embed(vendor.url, "k", "embedding-test")
    plain = media.embed_floats(vendor.url, "k", "embedding-test")
    assert [one.embedding for one in packed.data] == [one.embedding for one in plain.data]
    assert plain.data[0].embedding == vector("one", 8)
    assert plain.usage.total_tokens == 2
    found = media.gemini_embed(vendor.url, "k", "embedding-test")
    assert [one.values for one in found.embeddings] == [vector(one, 8) for one in ("one", "two")]


def test_images(vendor):
    found = media.draw(vendor.url, "k", "gpt-image-1")
    assert [one.b64_json for one in found.data] == [PNG_BASE64] * 2
    assert found.usage.output_tokens == 544
    events = media.draw_streamed(vendor.url, "k", "gpt-image-1")
    kinds = [event.type.partition(".")[2] for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"]
    assert media.edit(vendor.url, "k", "gpt-image-1").usage.input_tokens_details.image_tokens == 194
    assert media.vary(vendor.url, "k", "dall-e-2").data[0].b64_json == PNG_BASE64


def test_audio(vendor):
    assert media.speak(vendor.url, "k", "tts-1") == MP3
    assert media.speak(vendor.url, "k", "tts-1", "wav")[:4] == b"RIFF"
    assert media.transcribe(vendor.url, "k", "whisper-1").usage.seconds == 3
    assert media.transcribe(vendor.url, "k", "whisper-1", "verbose_json").duration == 3
    assert media.transcribe(vendor.url, "k", "whisper-1", "text") == f"{WORDS}\n"
    assert "-->" in media.transcribe(vendor.url, "k", "whisper-1", "srt")
    events = media.transcribe_streamed(vendor.url, "k", "gpt-4o-transcribe")
    assert (events[-1].text, events[-1].usage.output_tokens) == (WORDS, 9)
    assert media.translate(vendor.url, "k", "whisper-1").text == WORDS


def test_moderations_and_models(vendor):
    assert not media.moderate(vendor.url, "k", "omni-moderation-latest").results[0].flagged
    assert media.moderate(vendor.url, "k", "m", "Sheer violence").results[0].flagged
    with openai_client(vendor.url, "k") as client:
        assert "gpt-test" in [one.id for one in client.models.list()]
    with anthropic_client(vendor.url, "k") as client:
        assert "claude-test" in [one.id for one in client.models.list()]
    with gemini_client(vendor.url, "k") as client:
        assert "models/gemini-test" in [one.name for one in client.models.list()]


def test_counts(vendor):
    asked = [{"role": "user", "content": "Hello, bridge."}]
    with anthropic_client(vendor.url, "k") as client:
        counted = client.messages.count_tokens(model="m", messages=asked).input_tokens
    with gemini_client(vendor.url, "k") as client:
        assert client.models.count_tokens(model="m", contents="Hello").total_tokens > 1
    with openai_client(vendor.url, "k") as client:
        found = client.responses.input_tokens.count(model="m", input="x" * 38)
        assert found.input_tokens == 10
        # The SDK's own type has no place for the user's messages, which the vendor keeps.
        assert client.responses.with_raw_response.compact(model="m", input="x").status_code == 200
    assert counted > 1


def test_kept_responses(vendor):
    with openai_client(vendor.url, "k") as client:
        made = client.responses.create(model="m", input="Hello", background=True)
        assert made.status == "queued"
        assert client.responses.retrieve(made.id).status == "completed"
        assert client.responses.cancel(made.id).status == "cancelled"
        client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(made.id)


@pytest.mark.parametrize("surface", sorted(CALLS))
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_refusals(vendor, surface, stream, status):
    vendor.books.accounts["k"] = AccountScript({"status": status, "error_text": "Not today."})
    with pytest.raises(ERRORS[surface], match=r"Not today\.") as caught:
        CALLS[surface]["text"](vendor.url, "k", MODELS[surface], stream=stream)
    error = caught.value
    assert (error.code if surface == "gemini" else error.status_code) == status


@pytest.mark.parametrize("surface", sorted(CALLS))
def test_streams_that_break_with_an_error(vendor, surface):
    vendor.books.accounts["k"] = AccountScript({"error_event_after": 3, "text": "a b c d e f"})
    broken = {**ERRORS, "chat": openai.APIError, "responses": openai.APIError}
    with pytest.raises(broken[surface]):
        CALLS[surface]["text"](vendor.url, "k", MODELS[surface], stream=True)


@pytest.mark.parametrize("stream", [False, True])
def test_failed_responses_end_properly(vendor, stream):
    vendor.books.accounts["k"] = AccountScript({"stop": "fault"})
    assert CALLS["responses"]["text"](vendor.url, "k", "m", stream=stream).finish == "failed"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "finishes"),
    [
        ("length", ("length", "incomplete", "max_tokens", "MAX_TOKENS")),
        ("refusal", ("stop", "completed", "refusal", "SAFETY")),
    ],
)
def test_stop_reasons(vendor, stop, finishes, stream):
    vendor.books.accounts["k"] = AccountScript({"stop": stop})
    surfaces = ("chat", "responses", "messages", "gemini")
    for surface, finish in zip(surfaces, finishes, strict=True):
        if (surface, stop, stream) == ("chat", "length", True):
            continue  # the SDK's helper raises there on purpose
        found = CALLS[surface]["text"](vendor.url, "k", MODELS[surface], stream=stream)
        assert found.finish == finish
        assert stop == "length" or found.text in {"", REFUSAL}


def test_caches_are_counted_alike(vendor):
    counts = {"prompt_tokens": 500, "cached_tokens": 200, "cache_write_tokens": 100, "text": "a"}
    vendor.books.accounts["k"] = AccountScript(counts)
    for surface, ask in CALLS.items():
        for stream in (False, True):
            found = ask["text"](vendor.url, "k", MODELS[surface], stream=stream)
            assert (surface, found.tokens_in, found.tokens_out) == (surface, 500, 1)
