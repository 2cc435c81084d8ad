"""Image endpoints: what is counted, what is refused, and the events of a stream."""

import json

import pytest
from openai.types import ImagesResponse

from tests.demo.talking import named
from tollbridge.demo import fake_images
from tollbridge.demo.fake_form import File, Form
from tollbridge.demo.fake_images import ImagesAsk
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import BadAsk, Script


def made(script=None, **fields):
    found = json.loads(fake_images.unary(ImagesAsk(**fields), script or Script(), 5))
    ImagesResponse.model_validate(found)
    return found


def test_gpt_images_count_tokens():
    found = made(model="gpt-image-1", prompt="x" * 40, n=2, images=["a"])
    assert [one["b64_json"] for one in found["data"]] == [PNG_BASE64] * 2
    assert found["usage"] == {
        "input_tokens": 204,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 194},
        "output_tokens": 544,
        "output_tokens_details": {"image_tokens": 544, "text_tokens": 0},
        "total_tokens": 748,
    }
    assert (found["size"], found["quality"], found["output_format"]) == ("1024x1024", "low", "png")


def test_dalle_counts_nothing():
    found = made(model="dall-e-3", prompt="a")
    assert found["data"][0]["url"].startswith("https://")
    assert (found["data"][0]["revised_prompt"], "usage" in found) == ("a", False)
    assert made(prompt="a", response_format="b64_json")["data"] == [{"b64_json": PNG_BASE64}]


@pytest.mark.parametrize(
    ("quality", "size", "tokens"),
    [
        (None, None, 272),
        ("low", "1024x1536", 408),
        ("medium", "auto", 1_056),
        ("high", "1024x1024", 4_160),
        ("high", "1536x1024", 6_240),
    ],
)
def test_prices_of_looks(quality, size, tokens):
    asked = ImagesAsk(model="gpt-image-1", quality=quality, size=size, n=3)
    assert fake_images.spent(asked, Script()) == 3 * tokens
    assert fake_images.spent(asked, Script(tokens=7)) == 21
    assert fake_images.spent(ImagesAsk(n=3), Script()) == 0


def test_usage_can_be_scripted():
    def usage(script):
        return made(script, model="gpt-image-1", prompt="a").get("usage", "absent")

    assert usage(Script(usage="none")) == "absent"
    assert usage(Script(usage="null")) is None
    assert usage(Script(usage="nonsense"))["output_tokens"] < 0
    assert "output_tokens_details" not in usage(Script(usage="no_details"))
    assert usage(Script(prompt_tokens=50))["input_tokens"] == 50


@pytest.mark.parametrize("kind", ["generations", "edits"])
def test_streams(kind):
    asked = ImagesAsk(model="gpt-image-1", prompt="a", partial_images=2, images=["a"])
    events = list(fake_images.stream(asked, Script(), 5, kind))
    prefix = "image_generation" if kind == "generations" else "image_edit"
    found = named(events)
    assert [name for name, _ in found] == [*[f"{prefix}.partial_image"] * 2, f"{prefix}.completed"]
    assert [data.get("partial_image_index") for _, data in found] == [0, 1, None]
    assert found[-1][1]["usage"]["output_tokens"] == sum(event.tokens for event in events) == 272


@pytest.mark.parametrize(
    ("kind", "asked", "word"),
    [
        ("generations", ImagesAsk(), "prompt"),
        ("edits", ImagesAsk(prompt="a"), "image"),
        ("variations", ImagesAsk(), "image"),
        ("generations", ImagesAsk("gpt-image-1", "a", response_format="url"), "response_format"),
    ],
)
def test_refusals(kind, asked, word):
    with pytest.raises(BadAsk, match=word):
        fake_images.check(asked, kind)


def test_forms():
    texts = {"model": ["gpt-image-1"], "prompt": ["a"], "n": ["2"], "stream": ["true"]}
    asked = fake_images.of_form(Form(texts, [File("image", "a.png", b"x"), File("mask", "m", b"")]))
    assert (asked.model, asked.prompt, asked.n, asked.stream) == ("gpt-image-1", "a", 2, True)
    assert asked.images == ["a.png"]
    fake_images.check(asked, "edits")
