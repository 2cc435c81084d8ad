"""Forms as SDKs and browsers send them."""

import pytest
from httpx2 import Request

from tollbridge.demo.fake_form import read_form
from tollbridge.demo.fake_script import BadAsk


def test_a_form_of_an_http_client():
    files = [
        ("image[]", ("a.png", b"\r\n--\x00\r\n", "image/png")),
        ("image[]", ("b.png", b"", "image/png")),
    ]
    data = {"model": "m", "n": "2", "fake": '{"text": "\u00fc"}', "kind[]": ["x", "y"]}
    request = Request("POST", "http://localhost", data=data, files=files)
    form = read_form(request.headers["content-type"], request.read())
    assert [(file.field, file.name, file.data) for file in form.files] == [
        ("image", "a.png", b"\r\n--\x00\r\n"),
        ("image", "b.png", b""),
    ]
    assert (form.text("model"), form.count("n", 1), form.text("fake")) == (
        "m",
        2,
        '{"text": "\u00fc"}',
    )
    assert (form.texts["kind"], form.text("none", "d"), form.count("none", 4)) == (
        ["x", "y"],
        "d",
        4,
    )


def test_wrong_forms():
    with pytest.raises(BadAsk):
        read_form("multipart/form-data", b"")
    form = read_form("multipart/form-data; boundary=x", b'--x\r\nname="n"\r\n\r\ntwo\r\n--x--\r\n')
    with pytest.raises(BadAsk, match="'n'"):
        form.count("n", 1)
    assert read_form("multipart/form-data; boundary=x", b"--x\r\njunk\r\n\r\n\r\n--x--").texts == {}
