"""Forms: every part is found where it lies, one value is spliced, and no two readings are possible."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.forms import BOUNDARY, CONTENT_TYPE, fields, form, part
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.multipart import (
    CONTROL_FIELDS,
    HEADERS_MAX_BYTES,
    PARTS_MAX,
    FormError,
    FormRefusal,
    is_form,
    read_form,
)

SOUND = bytes(range(256)) * 4
PLAIN = fields({"file": SOUND}, model="whisper-1", stream="true", temperature=0)


def read(*parts: bytes, content_type: bytes = CONTENT_TYPE):
    return read_form(form(parts), content_type)


def refusal(body: bytes, content_type: bytes = CONTENT_TYPE) -> tuple[FormRefusal, str | None]:
    with pytest.raises(FormError) as caught:
        read_form(body, content_type)
    return caught.value.reason, caught.value.name


def test_parts_are_found():
    found = read_form(PLAIN, CONTENT_TYPE)
    assert found.names() == ("model", "stream", "temperature", "file")
    assert (found.text("model"), found.boolean("stream"), found.integer("temperature")) == (
        "whisper-1",
        True,
        0,
    )
    (file,) = found.files("file")
    assert (file.filename, file.content_type, file.size) == ("file.bin", b"audio/wav", len(SOUND))
    assert found.view(file) == SOUND
    assert found.view(file).obj is PLAIN
    assert found.text("file") is None
    assert found.text("absent") is None
    assert found.files("model") == ()


def test_an_empty_text_counts_as_absent():
    found = read(part("n", b""), part("stream", b""))
    assert (found.text("n"), found.integer("n"), found.boolean("stream")) == (None, None, None)


@pytest.mark.parametrize("value", [b"1.0", b"x", b" 1", b"1e3", b"\xd9\xa1", b"9" * 101])
def test_what_is_no_integer_is_named(value):
    with pytest.raises(FieldError) as caught:
        read(part("n", value)).integer("n")
    assert caught.value.name == "n"


@pytest.mark.parametrize(
    ("value", "meant"),
    [(b"true", True), (b"True", True), (b"1", True), (b"false", False), (b"0", False)],
)
def test_booleans(value, meant):
    assert read(part("stream", value)).boolean("stream") is meant


def test_what_is_no_boolean_or_no_text_is_named():
    with pytest.raises(FieldError):
        read(part("stream", b"yes please")).boolean("stream")
    with pytest.raises(FieldError):
        read(part("prompt", b"\xff\xfe")).text("prompt")


def test_files_of_an_array_are_found_by_its_name():
    names = ("image[]", "image", "image[0]", "image[mask]", "images")
    found = read(*(part(name, b"x", filename="a.png") for name in names))
    assert [one.name for one in found.files("image")] == ["image[]", "image", "image[0]"]


def test_a_repeated_field_that_controls_nothing_may_stay():
    found = read(part("include[]", b"a"), part("include[]", b"b"))
    assert found.names() == ("include[]", "include[]")
    assert found.text("include[]") == "b"


def test_forms_of_a_common_client_are_read():
    request = httpx2.Request(
        "POST",
        "http://127.0.0.1/",
        data={"model": "gpt-image-1", "prompt": 'a "quoted" söng', "include[]": ["a", "b"]},
        files=[("image[]", ("ä.png", SOUND, "image/png")), ("mask", ("m.png", b"m"))],
    )
    body, content_type = request.read(), request.headers["content-type"].encode()
    found = read_form(body, content_type)
    assert found.text("prompt") == 'a "quoted" söng'
    assert found.view(found.files("image")[0]) == SOUND
    assert found.files("image")[0].filename == "ä.png"
    changed = read_form(found.replaced({"model": b"other"}), content_type)
    assert changed.text("model") == "other"
    assert changed.view(changed.files("mask")[0]) == b"m"


def test_headers_that_clients_write_are_read():
    found = read(
        b"content-disposition: FORM-DATA; Name=model\r\nContent-Length: 3\r\n\r\ngpt",
        part(
            "file",
            b"123",
            filename="C:\\\\a.wav",
            headers=b"Content-Transfer-Encoding: binary\r\nX-Any: thing\r\nContent-Type:\taudio/wav \r\n",
        ),
        b'Content-Disposition: form-data; name="a\\"b"; filename*=UTF-8\'\'x\r\n\r\n',
        part("language", b"en", headers=b"Content-Type: text/plain; charset=UTF-8\r\n"),
    )
    assert found.text("model") == "gpt"
    assert found.text("language") == "en"
    assert found.files("file")[0].filename == "C:\\a.wav"
    assert found.files("file")[0].content_type == b"audio/wav"
    assert found.parts[2].name == 'a"b'
    assert found.parts[2].filename == ""


@pytest.mark.parametrize(
    "content_type",
    [
        b'Multipart/Form-Data; boundary="a-boundary"',
        b" multipart/form-data ; charset=utf-8;BOUNDARY=a-boundary; ",
    ],
)
def test_boundaries_that_clients_announce(content_type):
    assert read_form(PLAIN, content_type).text("model") == "whisper-1"


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        (b"", FormRefusal.NOT_FORM),
        (b"application/json", FormRefusal.NOT_FORM),
        (b"multipart/mixed; boundary=a-boundary", FormRefusal.NOT_FORM),
        (b"multipart/form-data", FormRefusal.BOUNDARY),
        (b"multipart/form-data; boundary=", FormRefusal.BOUNDARY),
        (b'multipart/form-data; boundary=""', FormRefusal.BOUNDARY),
        (b"multipart/form-data; boundary=" + b"x" * 71, FormRefusal.BOUNDARY),
        (b'multipart/form-data; boundary="ends "', FormRefusal.BOUNDARY),
        (b"multipart/form-data; boundary=a-boundary; boundary=b", FormRefusal.BOUNDARY),
        (b"multipart/form-data; boundary=a-boundary; boundary*0=b", FormRefusal.BOUNDARY),
        (b"multipart/form-data; boundary=a-boundary, b", FormRefusal.BOUNDARY),
        (b'multipart/form-data; boundary="a-boundary', FormRefusal.BOUNDARY),
    ],
)
def test_without_a_clear_boundary_nothing_is_read(content_type, reason):
    assert refusal(PLAIN, content_type) == (reason, None)


def test_is_form():
    assert is_form(b" Multipart/form-data; boundary=x") and is_form(b"multipart/form-data")
    assert not is_form(b"application/json") and not is_form(b"")


ONE = part("model", b"m")
LINE = b"--" + BOUNDARY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        LINE,
        b"preamble\r\n" + form([ONE]),
        b"\r\n" + form([ONE]),
        form([ONE]) + b"epilogue",
        form([ONE]) + b"\r\n",
        form([ONE])[:-4],
        form([ONE]).replace(b"\r\n", b"\n"),
        form([ONE]).replace(LINE + b"\r\n", LINE + b" \r\n"),
        # What a reader that is content with bare line feeds would take for one more part.
        form([ONE, part("file", b"x\n" + LINE + b"\n" + ONE, filename="a")]),
        form([ONE, part("file", b"x\n" + LINE + b"--\n", filename="a")]),
        form([ONE, part("file", b"y" + LINE, filename="a")]),
        form([ONE, part("file", b"\r\n" + LINE + b"x", filename="a")]),
    ],
)
def test_framing_that_could_be_read_in_two_ways_is_refused(body):
    assert refusal(body) == (FormRefusal.FRAMING, None)


@pytest.mark.parametrize(
    "one",
    [
        b"",
        b"\r\nvalue",
        b"no headers at all",
        b"Content-Type: text/plain\r\n\r\nx",
        b'Content-Disposition: attachment; name="a"\r\n\r\nx',
        b"Content-Disposition: form-data\r\n\r\nx",
        b"Content-Disposition: form-data; \r\n\r\nx",
        b'Content-Disposition: form-data; name=""\r\n\r\nx',
        b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nx',
        b"Content-Disposition: form-data; name=\"a\"; name*=utf-8''b\r\n\r\nx",
        b'Content-Disposition: form-data; name="a" trailing\r\n\r\nx',
        b'Content-Disposition: form-data; name="\xff"\r\n\r\nx',
        b'Content-Disposition: form-data; name="' + b"n" * 257 + b'"\r\n\r\nx',
        part("a", b"x", headers=b'Content-Disposition: form-data; name="b"\r\n'),
        part("a", b"x", headers=b"Content-Type: a/b\r\ncontent-type: c/d\r\n"),
        part("a", b"x", headers=b"Folded: a\r\n b\r\n"),
        part("a", b"x", headers=b"Spaced : a\r\n"),
        part("a", b"x", headers=b"Nul: a\x00b\r\n"),
        part("a", b"x", headers=b"Bare: a\nb: c\r\n"),
        part("a", b"x", headers=b"Long: " + b"l" * HEADERS_MAX_BYTES + b"\r\n"),
    ],
)
def test_bad_headers_are_refused(one):
    assert refusal(form([one])) == (FormRefusal.HEADERS, None)


def test_a_charset_that_is_ascii_here_is_read():
    latin = b"Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
    assert read(part("prompt", b"a cat", headers=latin)).text("prompt") == "a cat"
    odd = part("prompt", b"a c\xe4t", headers=latin)
    assert refusal(form([odd])) == (FormRefusal.HEADERS, "prompt")


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Length: 2",
        b"Content-Length: -1",
        b"Content-Type: text/plain; charset=utf-16",
    ],
)
def test_values_that_would_have_to_be_decoded_are_refused(header):
    assert refusal(form([part("a", b"x", headers=header + b"\r\n")])) == (FormRefusal.HEADERS, "a")


@pytest.mark.parametrize("name", sorted(CONTROL_FIELDS))
def test_a_control_field_is_there_once_and_is_text(name):
    one = part(name, b"1")
    assert refusal(form([one, one])) == (FormRefusal.DUPLICATE_FIELD, name)
    for other in (f"{name}[]", f"{name}[0]", f"{name} ", name.title()):
        assert refusal(form([part(other, b"1")])) == (FormRefusal.CONTROL_FIELD, name)
    assert refusal(form([part(name, b"1", filename="a")])) == (FormRefusal.CONTROL_FIELD, name)


def test_too_many_parts_are_refused():
    many = [part(f"f{number}", b"") for number in range(PARTS_MAX)]
    assert len(read_form(form(many), CONTENT_TYPE).parts) == PARTS_MAX
    assert refusal(form([*many, ONE])) == (FormRefusal.TOO_MANY_PARTS, None)


def test_a_form_may_be_empty():
    assert read_form(LINE + b"--", CONTENT_TYPE).names() == ()


def test_one_value_is_replaced_and_nothing_else():
    found = read_form(PLAIN, CONTENT_TYPE)
    expected = PLAIN.replace(b"whisper-1", b"a-longer-name")
    assert found.replaced({"model": b"a-longer-name"}) == expected
    assert found.replaced({}) is PLAIN
    assert found.replaced({"model": b"whisper-1"}) is PLAIN


def test_a_parts_own_length_is_corrected():
    body = form([part("model", b"m", headers=b"Content-Length:  1 \r\n"), part("n", b"2")])
    changed = read_form(body, CONTENT_TYPE).replaced({"n": b"1", "model": b"a" * 10})
    expected = body.replace(b"  1 ", b"  10 ").replace(b"\r\nm\r\n", b"\r\n" + b"a" * 10 + b"\r\n")
    assert changed == expected.replace(b"\r\n2\r\n", b"\r\n1\r\n")
    assert read_form(changed, CONTENT_TYPE).text("model") == "a" * 10


def test_what_cannot_be_replaced():
    found = read_form(PLAIN, CONTENT_TYPE)
    with pytest.raises(ValueError, match="boundary"):
        found.replaced({"model": b"x--" + BOUNDARY})
    for name in ("absent", "file"):
        with pytest.raises(KeyError):
            found.replaced({name: b"x"})


_values = st.binary(max_size=60).filter(lambda value: BOUNDARY not in value)
_names = st.text("abcdefg-_.[]é", min_size=1, max_size=10).filter(
    lambda name: name.partition("[")[0] not in CONTROL_FIELDS
)


@given(
    st.lists(st.tuples(_names, _values, st.booleans()), max_size=6),
    st.integers(0, 6),
    _values,
    _values,
)
def test_any_form_is_read_and_spliced(given_parts, at, model, other):
    def built(value: bytes) -> bytes:
        parts = [
            part(name, content, filename="f" if is_file else None)
            for name, content, is_file in given_parts
        ]
        parts.insert(at, part("model", value))
        return form(parts)

    body = built(model)
    found = read_form(body, CONTENT_TYPE)
    values = [bytes(found.view(one)) for one in found.parts if one.name != "model"]
    assert values == [content for _, content, _ in given_parts]
    assert [one.filename is not None for one in found.parts if one.name != "model"] == [
        is_file for _, _, is_file in given_parts
    ]
    assert found.replaced({"model": other}) == built(other)


_pieces = st.sampled_from(
    [LINE, b"--", b"\r\n", b"\n", b":", b";", b'"', b"name=", b"form-data", ONE, b"a", b" ", b"\\"]
)


@given(st.lists(_pieces, max_size=30).map(b"".join) | st.binary(max_size=200))
def test_nothing_but_refusals_comes_of_garbage(body):
    for whole in (body, LINE + b"\r\n" + body, form([body])):
        try:
            found = read_form(whole, CONTENT_TYPE)
        except FormError:
            continue
        assert all(0 <= one.start <= one.end <= len(whole) for one in found.parts)


@pytest.mark.parametrize(
    "fill",
    [
        b"-",
        b"\r\n--",
        b"\r\n--" + BOUNDARY[:-1],
        b"\r\n\r\n",
        BOUNDARY[:1],
    ],
)
def test_hostile_bodies_are_read_in_one_go(fill):
    value = fill * (16_000_000 // len(fill))
    found = read(part("file", value, filename="a"), ONE)
    assert found.parts[0].size == len(value)


def test_hostile_headers_are_read_in_one_go():
    blanks = b"X: " + b" " * 8_000 + b"x\r\n"
    found = read(*(part(f"f{number}", b"", headers=blanks) for number in range(PARTS_MAX)))
    assert len(found.parts) == PARTS_MAX
    quotes = b'Content-Disposition: form-data; name="' + b'\\"' * 4_000 + b"\r\n\r\n"
    assert refusal(form([quotes] * PARTS_MAX))[0] is FormRefusal.HEADERS
