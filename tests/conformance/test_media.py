"""The official SDKs' media calls through a running gateway: answers untouched, charges to the nano."""

import pytest
from openai import APIConnectionError

from tests.conformance.media import IMAGES, KEYS, MULTIPLIERS, catalogue, charged, cost, last
from tests.conformance.shop import open_shop
from tests.services import sdk_media
from tests.services.sdk_received import gemini_client, openai_client
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording
from tollbridge.demo.fake_samples import MP3, PNG_BASE64, wav

NATIVE = pytest.mark.parametrize("name", ["openai", "compatible"])
TEXT = "A bridge at dawn."
SAID = "The bridge is open and the toll is paid."


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


@pytest.fixture
def script(shop):
    """Return a function that scripts an account until the test's end."""
    named = []

    def say(name, **fields):
        named.append(name)
        shop.books.accounts[name] = AccountScript(fields)

    yield say
    for name in named:
        del shop.books.accounts[name]


def exact(shop, name, model, *, flags=(), **counts):
    """The latest call was complete, used this and was charged for it to the nano-dollar."""
    receipt = last(shop, name)
    assert (receipt["end_state"], receipt["flags"]) == ("complete", list(flags))
    assert charged(receipt) == cost(model, name, **counts)
    return receipt


@NATIVE
def test_embeddings_cost_their_tokens(shop, name):
    model = "text-embedding-3-small"
    for embed in (sdk_media.embed, sdk_media.embed_floats):
        made = embed(shop.gateway.url, KEYS[name], model)
        assert [len(one.embedding) for one in made.data] == [8, 8]
        exact(shop, name, model, input=made.usage.prompt_tokens)


@pytest.mark.parametrize("usage", ["given", "none"])
def test_geminis_vectors_for_an_openai_client(shop, script, usage):
    script("gemini", usage=usage)
    model = "gemini-embedding-001"
    made = sdk_media.embed(shop.gateway.url, KEYS["gemini"], model)
    plain = sdk_media.embed_floats(shop.gateway.url, KEYS["gemini"], model)
    assert made.model == model
    assert [one.embedding for one in made.data] == [one.embedding for one in plain.data]
    call = shop.books.calls[-1]
    assert call.path == f"/v1beta/models/{model}:batchEmbedContents"
    flags = [] if usage == "given" else ["estimated"]
    exact(shop, "gemini", model, flags=flags, input=plain.usage.prompt_tokens)


def test_geminis_own_client_at_gemini(shop):
    model = "gemini-embedding-001"
    made = sdk_media.gemini_embed(shop.gateway.url, KEYS["gemini"], model)
    assert [len(one.values) for one in made.embeddings] == [8, 8]
    exact(shop, "gemini", model, input=2)


@NATIVE
def test_geminis_own_client_at_openai(shop, name):
    model = "text-embedding-3-small"
    made = sdk_media.gemini_embed(shop.gateway.url, KEYS[name], model)
    assert [len(one.values) for one in made.embeddings] == [8, 8]
    assert shop.books.calls[-1].path == "/v1/embeddings"
    exact(shop, name, model, input=2)


@pytest.mark.parametrize("prefix", ["/v1beta", "/gemini/v1beta", "/gemini/v1", "/v1alpha"])
@pytest.mark.parametrize("name", ["gemini", "openai"])
def test_one_content_is_one_vector(shop, prefix, name):
    model = "gemini-embedding-001" if name == "gemini" else "text-embedding-3-small"
    body = b'{"content":{"parts":[{"text":"one two three"}]},"outputDimensionality":4}'
    response = shop.call(KEYS[name], f"{prefix}/models/{model}:embedContent", body)
    assert response.status_code == 200, response.text
    assert len(response.json()["embedding"]["values"]) == 4
    receipt = shop.receipt(KEYS[name], response.headers["x-request-id"])
    assert charged(receipt) == cost(model, name, input=3)
    if name == "gemini":
        assert shop.books.calls[-1].body == body


@NATIVE
def test_images_cost_their_tokens_and_come_untouched(shop, name):
    made = sdk_media.draw(shop.gateway.url, KEYS[name], "gpt-image-1")
    assert [one.b64_json for one in made.data] == [PNG_BASE64] * 2
    assert (made.usage.input_tokens, made.usage.output_tokens) == (4, 544)
    exact(shop, name, "gpt-image-1", input=4, image_output=544)


@NATIVE
def test_edits_and_variations_are_forms(shop, name):
    made = sdk_media.edit(shop.gateway.url, KEYS[name], "gpt-image-1")
    assert made.data[0].b64_json == PNG_BASE64
    exact(shop, name, "gpt-image-1", input=4, image_input=194, image_output=272)
    assert shop.books.calls[-1].header(b"content-type").startswith("multipart/form-data; boundary=")
    made = sdk_media.vary(shop.gateway.url, KEYS[name], "dall-e-3")
    assert made.data[0].b64_json == PNG_BASE64


@pytest.mark.parametrize(
    ("fields", "each"),
    [
        ({}, IMAGES["1024x1024", "standard"]),
        ({"size": "1792x1024", "quality": "hd"}, IMAGES["1792x1024", "*"]),
        ({"quality": "hd"}, IMAGES["*", "*"]),
    ],
)
def test_images_that_are_sold_each(shop, fields, each):
    num, den = MULTIPLIERS["openai"]
    with openai_client(shop.gateway.url, KEYS["openai"]) as client:
        made = client.images.generate(model="dall-e-3", prompt=TEXT, n=2, **fields)
    assert made.data[1].url == "https://images.example/fake1.png"
    assert charged(last(shop, "openai")) == -(-2 * each * num // den)


@NATIVE
def test_images_as_they_are_made(shop, name):
    events = sdk_media.draw_streamed(shop.gateway.url, KEYS[name], "gpt-image-1")
    kinds = [event.type.rpartition(".")[2] for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"]
    assert events[-1].b64_json == PNG_BASE64
    exact(shop, name, "gpt-image-1", input=4, image_output=272)


def test_images_of_which_nothing_is_told_are_estimated(shop, script):
    script("openai", usage="none")
    made = sdk_media.draw(shop.gateway.url, KEYS["openai"], "gpt-image-1")
    assert made.usage is None
    exact(shop, "openai", "gpt-image-1", flags=["estimated"], input=5, image_output=2112)


@NATIVE
def test_speech_sold_by_the_character(shop, name):
    assert sdk_media.speak(shop.gateway.url, KEYS[name], "tts-1") == MP3
    exact(shop, name, "tts-1", character=len(TEXT))


@NATIVE
def test_speech_sold_by_the_token_is_estimated(shop, name):
    sound = sdk_media.speak(shop.gateway.url, KEYS[name], "gpt-4o-mini-tts", "wav")
    assert sound == wav(1)
    # 17 bytes are 5 tokens in, and at 15 bytes and 20 tokens a second 23 out.
    exact(shop, name, "gpt-4o-mini-tts", flags=["estimated"], input=5, audio_output=23)


def test_a_long_sound_comes_in_pieces_and_whole(shop, script):
    script("openai", seconds=20, events=40)
    body = b'{"model":"tts-1","voice":"alloy","input":"A bridge at dawn.","response_format":"pcm"}'
    headers = {"authorization": f"Bearer {KEYS['openai']}"}
    with shop.http.stream("POST", "/v1/audio/speech", content=body, headers=headers) as response:
        sound = b"".join(response.iter_raw())
    assert response.headers["content-type"] == "audio/pcm"
    assert "content-length" not in response.headers
    assert sound == wav(20)[44:]
    assert shop.books.calls[-1].body == body
    exact(shop, "openai", "tts-1", character=len(TEXT))


def test_a_sound_that_breaks_is_never_whole(shop, script):
    script("openai", seconds=20, events=40, cut_after=30)
    with pytest.raises(APIConnectionError):
        sdk_media.speak(shop.gateway.url, KEYS["openai"], "tts-1", "wav")
    receipt = last(shop, "openai")
    assert (receipt["end_state"], receipt["flags"]) == ("partial", ["partial"])
    assert charged(receipt) == cost("tts-1", "openai", character=len(TEXT))


def test_a_sound_that_breaks_before_any_of_it_passed_is_an_error_and_free(shop, script):
    script("openai", seconds=20, events=40, cut_after=0)
    body = b'{"model":"tts-1","voice":"alloy","input":"A bridge at dawn."}'
    response = shop.call(KEYS["openai"], "/v1/audio/speech", body)
    assert response.status_code == 502
    assert response.json()["error"]["message"]


@NATIVE
def test_speech_in_events_tells_its_tokens(shop, name):
    with openai_client(shop.gateway.url, KEYS[name]) as client:
        make = client.audio.speech.create
        said = make(model="gpt-4o-mini-tts", voice="alloy", input=TEXT, stream_format="sse").read()
    assert said.count(b"speech.audio.delta") == 1 and b"speech.audio.done" in said
    exact(shop, name, "gpt-4o-mini-tts", input=4, audio_output=10)


@NATIVE
@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt", "vtt"])
def test_transcripts_sold_by_the_second(shop, name, form):
    made = sdk_media.transcribe(shop.gateway.url, KEYS[name], "whisper-1", form)
    assert SAID in (made if isinstance(made, str) else made.text)
    # An uncompressed file's length is known even where the answer does not tell it.
    flags = [] if "json" in form else ["estimated"]
    exact(shop, name, "whisper-1", flags=flags, second=3)


@NATIVE
def test_transcripts_sold_by_the_token(shop, name):
    model = "gpt-4o-transcribe"
    made = sdk_media.transcribe(shop.gateway.url, KEYS[name], model)
    usage = made.usage
    heard = usage.input_token_details.audio_tokens
    used = {"input": usage.input_tokens - heard, "audio_input": heard}
    exact(shop, name, model, output=usage.output_tokens, **used)
    events = sdk_media.transcribe_streamed(shop.gateway.url, KEYS[name], model)
    assert events[-1].type == "transcript.text.done" and events[-1].text == SAID
    exact(shop, name, model, output=usage.output_tokens, **used)


def test_a_model_that_cannot_stream_answers_as_a_whole(shop):
    shop.books.recordings["whole"] = recording(
        200,
        {"content-type": "application/json"},
        [b'{"text":"Well.","usage":{"type":"duration","seconds":9}}'],
    )
    file = ("a.wav", wav(3), "audio/wav")
    with openai_client(shop.gateway.url, KEYS["openai"]) as client:
        made = client.audio.transcriptions.with_raw_response.create(
            model="whisper-1", file=file, stream=True, extra_body={"fake": '{"replay":"whole"}'}
        )
        assert made.headers["content-type"] == "application/json"
    exact(shop, "openai", "whisper-1", second=9)


@NATIVE
def test_translations(shop, name):
    assert sdk_media.translate(shop.gateway.url, KEYS[name], "whisper-1").text == SAID
    exact(shop, name, "whisper-1", second=3)


@NATIVE
def test_moderations_cost_what_a_call_costs(shop, name):
    made = sdk_media.moderate(shop.gateway.url, KEYS[name], "omni-moderation-latest", "violence")
    assert made.results[0].flagged
    exact(shop, name, "omni-moderation-latest", request=1)
    # The protocol has a default.
    assert shop.call(KEYS[name], "/v1/moderations", b'{"input":"a"}').status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_gemini_images_place_in_chat(shop, stream):
    model = "gemini-2.5-flash-image"
    with openai_client(
        shop.gateway.url, KEYS["gemini"], _strict_response_validation=False
    ) as client:
        made = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "draw a bridge"}],
            extra_body={"modalities": ["image", "text"]},
            stream=stream,
        )
        if stream:
            deltas = [chunk.choices[0].delta for chunk in made if chunk.choices]
            images = [one for delta in deltas for one in getattr(delta, "images", None) or ()]
        else:
            images = made.choices[0].message.images
    assert images[0]["image_url"]["url"] == f"data:image/png;base64,{PNG_BASE64}"
    assert last(shop, "gemini")["counts"]["image_output"] == 1290


def test_an_image_without_a_word_has_no_content(shop, script):
    script("gemini", text="", images=1)
    body = (
        b'{"model":"gemini-2.5-flash-image","modalities":["image"],'
        b'"messages":[{"role":"user","content":"draw"}]}'
    )
    response = shop.call(KEYS["gemini"], "/v1/chat/completions", body)
    assert response.status_code == 200, response.text
    message = response.json()["choices"][0]["message"]
    assert message["content"] is None
    (image,) = message["images"]
    assert image["type"] == "image_url"
    assert image["image_url"]["url"] == f"data:image/png;base64,{PNG_BASE64}"


def test_google_sdk_is_told_in_its_own_words(shop):
    with (
        gemini_client(shop.gateway.url, KEYS["anthropic"]) as client,
        pytest.raises(Exception, match="does not serve") as info,
    ):
        client.models.embed_content(model="gemini-embedding-001", contents=["one"])
    assert info.value.code in {400, 403, 404}
