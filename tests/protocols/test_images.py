"""Images: requests in JSON and forms, limits with their codes, tokens and counted images."""

import json

import pytest

from tests.protocols import recordings
from tests.protocols.forms import CONTENT_TYPE, fields, recorded
from tollbridge.protocols.images import (
    COPIES_MAX,
    ImageLimits,
    check_image,
    counted,
    estimate,
    read_ask,
    read_reply,
)
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.multipart import read_form
from tollbridge.protocols.usage import ImageCount, Usage


def ask_of(**given):
    body = {"model": "gpt-image-1", "prompt": "a cät", **given}
    return read_ask(peek(json.dumps(body).encode()), "generations")


def edit_of(files, **texts):
    texts = {"model": "gpt-image-1", "prompt": "a cät", **texts}
    return read_ask(read_form(fields(files, **texts), CONTENT_TYPE), "edits")


ASK = ask_of()
DATA = [{"b64_json": "aGk="}]
TOKENS = {"input_tokens": 10, "output_tokens": 272, "total_tokens": 282}


def reply(body, ask=ASK):
    return read_reply(json.dumps(body).encode(), b"application/json", ask)


def test_what_is_asked():
    ask = ask_of(
        n=2,
        size="1536x1024",
        quality="high",
        response_format="url",
        output_format="webp",
        stream=True,
        partial_images=3,
    )
    assert (ask.n, ask.size, ask.quality) == (2, "1536x1024", "high")
    assert (ask.response_format, ask.output_format, ask.stream) == ("url", "webp", True)
    assert (ask.prompt_chars, ask.prompt_bytes, ask.partial_images) == (5, 6, 3)
    assert counted(ask) == Counted(images=2, size="1536x1024", quality="high")


def test_what_is_not_asked():
    assert (ASK.n, ASK.size, ASK.quality, ASK.stream, ASK.blobs.count) == (1, None, None, False, 0)
    assert ask_of(size="auto", quality="auto", n=None) == ASK
    old = ask_of(model="dall-e-3")
    assert (old.size, old.quality) == ("1024x1024", "standard")
    assert ask_of(model="dall-e-3", quality="hd").quality == "hd"


def test_forms():
    ask = edit_of({"image": b"x" * 100, "mask": b"y" * 50}, n=2, size="512x512", stream="false")
    assert (ask.operation, ask.n, ask.size, ask.stream) == ("edits", 2, "512x512", False)
    assert (ask.prompt_chars, ask.blobs.count, ask.blobs.bytes) == (5, 2, 150)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"model": None}, "model"),
        ({"prompt": 5}, "prompt"),
        ({"n": "2"}, "n"),
        ({"n": 1.5}, "n"),
        ({"size": 1024}, "size"),
        ({"size": "somebody's secret words"}, "size"),
        ({"quality": "q" * 25}, "quality"),
        ({"stream": 1}, "stream"),
        ({"partial_images": "2"}, "partial_images"),
    ],
)
def test_wrong_fields_are_named(given, name):
    with pytest.raises(FieldError) as caught:
        ask_of(**given)
    assert caught.value.name == name


def test_an_edit_needs_an_image():
    with pytest.raises(FieldError) as caught:
        edit_of({"mask": b"m"})
    assert caught.value.name == "image"


LIMITS = ImageLimits(sizes=("1024x1024", "512x512"), n_max=4, prompt_max=5)


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"prompt": None}, "prompt_missing", "prompt"),
        ({"prompt": ""}, "prompt_missing", "prompt"),
        ({"prompt": "a cäts"}, "prompt_too_long", "prompt"),
        ({"n": 0}, "n_not_within_range", "n"),
        ({"n": -1}, "n_not_within_range", "n"),
        ({"n": 5}, "n_not_within_range", "n"),
        ({"n": 10**30}, "n_not_within_range", "n"),
        ({"size": "256x256"}, "size_not_supported", "size"),
        ({"model": "dall-e-2", "size": "1x1"}, "size_not_supported", "size"),
    ],
)
def test_limits_have_codes(given, code, param):
    with pytest.raises(Refused) as caught:
        check_image(ask_of(**given), LIMITS)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.message


def test_what_is_within_the_limits():
    for given in ({}, {"n": 4}, {"size": "512x512"}, {"size": "auto"}, {"model": "dall-e-2"}):
        check_image(ask_of(**given), LIMITS)
    check_image(ask_of(prompt="long" * 9_999, n=COPIES_MAX, size="1x1"), ImageLimits())
    with pytest.raises(Refused):
        check_image(ask_of(n=COPIES_MAX + 1), ImageLimits())


def test_a_variation_needs_no_prompt():
    body = fields({"image": b"x"}, model="dall-e-2", n=2)
    ask = read_ask(read_form(body, CONTENT_TYPE), "variations")
    check_image(ask, LIMITS)
    assert counted(ask) == Counted(images=2, size="1024x1024", quality="standard")


def test_tokens_and_images_are_both_told():
    facts = reply({"data": DATA, "usage": TOKENS, "size": "1024x1024", "quality": "low"})
    assert facts.usage == Usage(
        input=10, image_output=272, images=(ImageCount("1024x1024", "low", 1),)
    )
    assert facts.usage_seen and facts.finished and not facts.empty


def test_what_the_client_chose_goes_before_what_the_answer_says():
    ask = ask_of(size="512x512", n=2)
    facts = reply({"data": DATA * 2, "size": "9x9", "quality": "a text of the upstream's"}, ask)
    assert facts.usage == Usage(images=(ImageCount("512x512", "auto", 2),))
    assert not facts.usage_seen


def test_more_images_than_asked_are_not_sold():
    facts = reply({"data": DATA * 3}, ask_of(n=2))
    assert facts.usage == Usage(images=(ImageCount("auto", "auto", 2),), clamped=True)


def test_the_model_that_draws_is_billed_too():
    drawn = {"input_tokens": 5, "output_tokens": 70, "total_tokens": 75}
    facts = reply({"data": DATA, "usage": TOKENS, "svg_usage": drawn})
    assert (facts.usage.input, facts.usage.output, facts.usage.image_output) == (15, 70, 272)


@pytest.mark.parametrize(
    "data", [[], None, [{}], [{"b64_json": None}], [{"b64_json": ""}], [{"url": ""}]]
)
def test_no_image_is_no_answer(data):
    facts = reply({"created": 1, "data": data})
    assert facts.usage is None and facts.empty
    # What was nevertheless worked on is told.
    assert reply({"data": data, "usage": TOKENS}).usage == Usage(input=10, image_output=272)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"data": 5}', b'{"data": [5]}', b"\xff"])
def test_what_is_no_answer_has_no_facts(body):
    facts = read_reply(body, b"application/json", ASK)
    assert (facts.usage, facts.finished, facts.empty) == (None, False, True)


def test_an_error_is_seen():
    assert reply({"error": {"message": "no", "type": "server_error"}}).error.type == "server_error"


def test_estimates():
    ask = edit_of({"image": b"x" * 100}, n=2, quality="high", size="512x512")
    assert estimate(ask) == Usage(
        input=2,
        image_input=300,
        image_output=2 * 4_160,
        images=(ImageCount("512x512", "high", 2),),
    )
    assert estimate(ASK).image_output == 1_056


def by_hand(body, request) -> Usage:
    """Read a recorded answer's figures in the plainest way."""
    said = body.get("usage") or {}
    sent = said.get("input_tokens_details") or {}
    made = said.get("output_tokens_details") or {}
    old = (request or {}).get("model", "gpt").startswith("dall-e")
    size = (request or {}).get("size") or body.get("size") or "auto"
    quality = (request or {}).get("quality") or body.get("quality")
    quality = quality or ("standard" if old else "auto")
    return Usage(
        input=sent.get("text_tokens", 0),
        image_input=sent.get("image_tokens", 0),
        output=made.get("text_tokens", 0),
        image_output=made.get("image_tokens", said.get("output_tokens", 0)),
        images=(ImageCount(size, quality, len(body["data"])),),
    )


def test_recordings(corpus):
    seen = set()
    for recording in recordings.load(corpus, "openai_images"):
        endpoint = recording.file.partition("--")[0]
        operation = endpoint.partition(".")[2]
        request = recording.request
        form = recorded(request)
        if form is not None:
            found = read_form(form.replace(b"--a-boundary\r\n", MODEL, 1), CONTENT_TYPE)
            ask = read_ask(found, operation)
            request = {"model": "dall-e-2", "size": ask.size}
        else:
            ask = ask_of(**(request or {}))
        facts = reply(recording.body, ask)
        assert facts.usage == by_hand(recording.body, request), recording.file
        assert facts.finished and not facts.empty and not facts.usage.clamped
        seen.add((endpoint, recording.provider, facts.usage.image_output))
    assert {
        ("images.edits", "openai", 272),
        ("images.generations", "xai", 0),
        ("images.variations", "openai", 0),
    } <= seen


# These were sent without a model's name, which was allowed then.
MODEL = b'--a-boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\ndall-e-2\r\n--a-boundary\r\n'
