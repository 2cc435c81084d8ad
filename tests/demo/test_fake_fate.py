"""What scripts do to calls before anything is answered."""

import msgspec
import pytest

from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_errors import ANTHROPIC, GOOGLE
from tollbridge.demo.fake_fate import fate, refused
from tollbridge.demo.fake_reply import recording
from tollbridge.demo.fake_script import Script


def test_usually_none():
    assert fate(Books(), Script(), ()) is None


@pytest.mark.parametrize(
    ("tongue", "header"), [(ANTHROPIC, True), (GOOGLE, False)], ids=["anthropic", "google"]
)
def test_refusals_are_in_the_vendors_words(tongue, header):
    found = fate(Books(), Script(status=429, retry_after=7, error_text="Slow."), (), tongue)
    assert found.status == 429
    assert (b"retry-after: 7\r\n" in found.first) == header
    assert (b'"7s"' in found.first) != header
    assert b'"Slow."' in found.first


def test_echo_silence_and_redirects():
    read = (msgspec.Raw(b'"ab'), msgspec.Raw(b'c"'))
    found = fate(Books(), Script(status=400, echo=True), read)
    assert b'You sent: \\"abc\\"' in found.first
    assert fate(Books(), Script(hang=True), ()).hang
    assert fate(Books(), Script(redirect=True), ()).status == 307


def test_recordings():
    books = Books()
    books.recordings["r"] = recording(201, {"content-type": "text/plain"}, [b"a"])
    assert fate(books, Script(replay="r"), ()).status == 201
    missing = fate(books, Script(replay="x"), (), ANTHROPIC)
    assert missing.status == 400 and b"invalid_request_error" in missing.first


def test_unscripted_refusals_have_the_vendors_headers():
    assert b"request-id: req_fake\r\n" in refused(ANTHROPIC, 404, "x").first
