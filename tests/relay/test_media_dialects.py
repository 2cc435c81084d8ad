"""Proof of what each media endpoint holds, refuses and charges."""

import msgspec
import pytest

from tests.relay.calls import account, admitted, asked, model, price
from tests.relay.media import DRAW, SPEAK, media_catalogue, opened, record
from tollbridge.core.errors import ApiError, Kind, Profile, Surface
from tollbridge.demo.fake_samples import PNG_BASE64, wav
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.media_usage import Counted
from tollbridge.relay.gate import Offers, read_body
from tollbridge.relay.media_dialects import MEDIA, SOUND_PIECE_BYTES

GENERATIONS = "/v1/images/generations"
SPEECH = "/v1/audio/speech"
HEAR = "/v1/audio/transcriptions"
FORM = {b"content-type": b'multipart/form-data; boundary="b b"'}


@pytest.fixture
async def floor():
    async with opened() as floor:
        yield floor


def form(*, file=b"", field="file", **texts):
    parts = [
        b'--b b\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), text.encode())
        for name, text in texts.items()
    ]
    head = b'--b b\r\ncontent-disposition: form-data; name="%s"; filename="a"\r\n\r\n'
    parts.append(head % field.encode() + file + b"\r\n")
    return b"".join(parts) + b"--b b--\r\n"


def let_in(body, path, **values):
    return admitted(body, path=path, catalogue=media_catalogue(None), **values)


def test_every_endpoint_is_of_the_media_surface():
    assert sorted(MEDIA) == [
        *("/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"),
        *("/v1/images/edits", "/v1/images/generations", "/v1/images/variations"),
        "/v1/moderations",
    ]
    for path, dialect in MEDIA.items():
        assert (dialect.surface, dialect.surface_name, dialect.free) == (
            Surface.MEDIA,
            "media",
            False,
        )
        assert dialect.images == ("images" in path)
        # What begins late may be no event stream; images are events or a document.
        assert bool(dialect.heartbeat) == dialect.images
        assert [dialect.serves(account(platform=one)) for one in ("openai", "anthropic")] == [
            True,
            False,
        ]
        assert not dialect.sliced(account())


def test_what_images_may_cost():
    call = let_in({**DRAW, "n": 2}, GENERATIONS)
    assert (call.wish.copies, call.wish.media_out, call.wish.whole) == (2, True, True)
    assert call.wish.counted == Counted(images=2)
    shown = [{"image_url": f"data:image/png;base64,{PNG_BASE64}"}]
    call = let_in({**DRAW, "images": shown}, "/v1/images/edits")
    assert call.blobs == BlobScan(count=1, bytes=len(PNG_BASE64))
    body = form(file=b"picture", field="image", model="draw", prompt="a")
    call = let_in(body, "/v1/images/edits", headers=FORM)
    assert call.blobs == BlobScan(count=1, bytes=7)


def test_what_sounds_may_cost():
    call = let_in(SPEAK, SPEECH)
    assert call.wish.counted == Counted(characters=5)
    assert (call.blobs, call.wish.media_out, call.ask.stream) == (BlobScan(), True, True)
    for size, pieces in ((10, 1), (SOUND_PIECE_BYTES, 2)):
        call = let_in(form(file=bytes(size), model="hear"), HEAR, headers=FORM)
        assert call.blobs == BlobScan(count=pieces, bytes=size)
        assert call.wish.counted == Counted(seconds=-(-size // 1000))
        assert not call.ask.stream


def test_judgements_have_no_output():
    call = admitted(
        {"input": "a", "model": "embed"}, path="/v1/moderations", catalogue=media_catalogue(None)
    )
    assert (call.wish.has_output, call.wish.counted) == (False, None)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("body", "path", "code", "param"),
    [
        ({"model": "draw"}, GENERATIONS, "prompt_missing", "prompt"),
        ({**DRAW, "prompt": "a" * 21}, GENERATIONS, "prompt_too_long", "prompt"),
        ({**DRAW, "size": "1x1"}, GENERATIONS, "size_not_supported", "size"),
        ({**DRAW, "n": 3}, GENERATIONS, "n_not_within_range", "n"),
        ({**DRAW, "n": 0}, GENERATIONS, "n_not_within_range", "n"),
        ({**DRAW, "n": -(10**30)}, GENERATIONS, "n_not_within_range", "n"),
        ({**SPEAK, "input": "a" * 301}, SPEECH, "text_too_long", "input"),
    ],
)
async def test_limits_are_told_in_every_profile(floor, profile, body, path, code, param):
    floor.world.snapshot = media_catalogue(floor, error_profile=profile)
    client = await floor.answered(body, path=path)
    error = client.json()["error"]
    assert (client.status, error["code"], error["param"]) == (400, code, param)
    assert not floor.vendor.books.calls and not floor.writer.seen


@pytest.mark.parametrize("operation", ["generations", "edits", "variations"])
async def test_images_have_to_be_enabled(floor, operation):
    floor.world.snapshot = media_catalogue(floor, capabilities=frozenset())
    client = await floor.answered(DRAW, path=f"/v1/images/{operation}")
    assert client.status == 403
    assert client.json()["error"]["message"] == "Image generation is not enabled for this group"


@pytest.mark.parametrize("path", [SPEECH, GENERATIONS, "/v1/moderations"])
async def test_a_platform_without_the_endpoint(floor, path):
    floor.world.snapshot = media_catalogue(floor, platform="anthropic")
    client = await floor.answered({**SPEAK, **DRAW}, path=path)
    assert (client.status, client.error_code()) == (403, "surface_not_allowed")


@pytest.mark.parametrize(
    ("body", "path"),
    [({**SPEAK, "model": "hear"}, SPEECH), ({**DRAW, "model": "tts"}, GENERATIONS)],
)
def test_what_the_price_does_not_sell_is_refused(body, path):
    call = asked(body, path=path, catalogue=media_catalogue(None))
    read_body(call)
    with pytest.raises(ApiError) as info:
        Offers().choose(call)
    assert info.value.kind is Kind.MODEL_UNPRICED


async def test_what_cannot_be_priced_is_refused(floor):
    sold = model("tts", price=price(character=2**62))
    floor.world.snapshot = media_catalogue(floor, models=(sold,))
    client = await floor.answered(SPEAK, path=SPEECH)
    assert (client.status, client.error_code()) == (400, "call_too_large")


def test_an_effort_in_the_name_means_nothing_here():
    call = asked({**DRAW, "model": "draw-high"}, path=GENERATIONS, catalogue=media_catalogue(None))
    read_body(call)
    with pytest.raises(ApiError) as info:
        Offers().choose(call)
    assert info.value.kind is Kind.MODEL_UNKNOWN


@pytest.mark.parametrize(
    ("body", "path", "headers", "code"),
    [
        (b"not json", GENERATIONS, None, "invalid_json"),
        ({"model": "draw", "prompt": 7}, GENERATIONS, None, "invalid_value"),
        ({"model": "hear"}, HEAR, None, "invalid_form"),
        (b"--b b\r\nbroken", HEAR, FORM, "invalid_form"),
        (form(file=b"", model="hear"), HEAR, FORM, "invalid_value"),
        ({"model": "tts"}, SPEECH, None, "invalid_value"),
    ],
)
async def test_what_cannot_be_read(floor, body, path, headers, code):
    client = await floor.answered(body, path=path, headers=headers)
    assert (client.status, client.error_code()) == (400, code)


async def test_a_hold_is_for_all_that_it_may_cost(floor):
    await floor.answered({**DRAW, "n": 2}, path=GENERATIONS)
    assert (floor.row["held"], floor.row["charge"]) == (80, 80)


async def test_seconds_are_held_at_most_and_charged_as_told(floor):
    # The vendor tells two seconds; the file could be three by its bytes.
    record(
        floor, "two", b'{"text":"a","usage":{"type":"duration","seconds":2}}', "application/json"
    )
    body = form(file=wav(3), model="hear", fake='{"replay":"two"}')
    client = await floor.answered(body, path=HEAR, headers=FORM)
    assert client.status == 200
    assert (floor.row["held"], floor.row["charge"], floor.row["flags"]) == (9, 6, "")


async def test_tokens_that_nobody_told_are_estimated_and_never_above_the_hold(floor):
    sold = model("tts", max_output=4, price=price())
    floor.world.snapshot = media_catalogue(floor, models=(sold,))
    client = await floor.answered({**SPEAK, "input": "a" * 300}, path=SPEECH)
    assert client.status == 200
    assert floor.row["flags"] == "estimated"
    assert floor.row["audio_output"] == 400
    assert floor.row["charge"] == floor.row["held"]


async def test_images_of_many_megabytes_pass(floor):
    body = msgspec.json.encode({"created": 1, "data": [{"b64_json": "a" * 12_000_000}] * 2})
    record(floor, "large", body, "application/json")
    client = await floor.answered({**DRAW, "n": 2, "fake": {"replay": "large"}}, path=GENERATIONS)
    assert client.sent == body
    assert floor.row["charge"] == 80
