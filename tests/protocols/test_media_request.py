"""What media requests share: the model is found and renamed, whatever the body is written in."""

import json

import pytest

from tests.protocols.forms import CONTENT_TYPE, fields, form, part
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.media_request import Refused, image_blobs, model_of, renamed
from tollbridge.protocols.multipart import read_form

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACACAYAAADDPmHLAAAABmJLR0QA"


def test_the_model_is_read_from_both():
    assert model_of(peek(b'{"model": "a"}')) == "a"
    assert model_of(read_form(fields(model="b"), CONTENT_TYPE)) == "b"
    assert model_of(peek(b'{"model": null}'), "c") == "c"


@pytest.mark.parametrize("body", [b"{}", b'{"model": ""}', b'{"model": 5}'])
def test_a_missing_model_is_named(body):
    with pytest.raises(FieldError) as caught:
        model_of(peek(body))
    assert caught.value.name == "model"


def test_only_the_models_name_changes():
    assert renamed(peek(b'{ "model" : "a", "n": 1}'), 'x"y') == b'{ "model" : "x\\"y", "n": 1}'
    assert renamed(peek(b'{"n": 1}'), "x") == b'{"model":"x","n": 1}'
    body = fields({"image": b"\x00\xff"}, model="a", n=1)
    assert renamed(read_form(body, CONTENT_TYPE), "x") == body.replace(b"\r\na\r\n", b"\r\nx\r\n")


def test_a_form_gets_no_new_field():
    with pytest.raises(ValueError, match="without a model"):
        renamed(read_form(fields(n=1), CONTENT_TYPE), "x")


def test_images_are_counted_and_are_no_text():
    files = [part("image[]", b"x" * 50, filename="a"), part("mask", b"y" * 7, filename="m")]
    found = image_blobs(read_form(form([part("prompt", b"long" * 9), *files]), CONTENT_TYPE))
    assert found == BlobScan(count=2, bytes=57)
    seen = image_blobs(peek(json.dumps({"images": [{"image_url": PNG}]}).encode()))
    assert seen.count == 1 and 0 < seen.bytes < len(PNG)
    assert image_blobs(peek(b'{"images": [{"file_id": "f"}]}')).opaque


def test_a_refusal_says_code_field_and_reason():
    refused = Refused("size_not_supported", "size", "size not supported")
    assert (refused.code, refused.param, str(refused)) == (
        "size_not_supported",
        "size",
        refused.message,
    )
