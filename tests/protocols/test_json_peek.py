"""The peek shows exactly the bytes of each field, and refuses what two parsers could read apart."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.json_peek import FieldError, PeekError, Refusal, peek

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=6)
STYLES = st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (2, (",", " : "))])


def write(value, style, ascii_only):
    indent, separators = style
    return json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only).encode()


def refusal(body):
    with pytest.raises(PeekError) as caught:
        peek(body)
    return caught.value.reason


def nested(levels):
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@given(OBJECTS, STYLES, st.booleans())
def test_every_field_is_its_own_bytes(value, style, ascii_only):
    body = write(value, style, ascii_only)
    top = peek(body)
    assert list(top.names()) == list(value)
    for name, inner in value.items():
        start, end = top.span(name)
        assert json.loads(body[start:end]) == inner
        assert top.raw(name) == (None if inner is None else body[start:end])


@given(OBJECTS, st.dictionaries(st.text(max_size=6), VALUES, max_size=3), STYLES)
def test_edits_change_only_what_they_name(value, edits, style):
    body = write(value, style, ascii_only=True)
    edited = peek(body).replaced(
        {name: json.dumps(inner).encode() for name, inner in edits.items()}
    )
    assert json.loads(edited) == {**value, **edits}
    shell = peek(edited).replaced(dict.fromkeys(edits, b"0"))
    assert shell == peek(body).replaced(dict.fromkeys(edits, b"0"))


def test_an_edit_keeps_every_other_byte():
    body = b' {\n "model" :\t"a" , "x": 1e3,"n":null }\n'
    edited = peek(body).replaced({"model": b'"b"', "n": b"2"})
    assert edited == b' {\n "model" :\t"b" , "x": 1e3,"n":2 }\n'
    assert (
        peek(body).replaced({"new": b"[]"})
        == b' {\n "new":[],"model" :\t"a" , "x": 1e3,"n":null }\n'
    )
    assert peek(b"{ }").replaced({"new": b"1"}) == b'{ "new":1}'
    assert peek(body).replaced({}) is body


@given(OBJECTS, STYLES, st.data())
def test_a_removed_field_leaves_the_rest(value, style, data):
    name = data.draw(st.sampled_from([*value, "absent field"]))
    left = peek(write(value, style, ascii_only=True)).removed(name)
    assert json.loads(left) == {key: inner for key, inner in value.items() if key != name}


@given(OBJECTS.filter(bool), VALUES, st.booleans(), st.data())
def test_a_name_that_occurs_twice_is_refused(value, again, escaped, data):
    name = data.draw(st.sampled_from(list(value)))
    key = (
        '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'
        if escaped and name.isascii()
        else json.dumps(name)
    )
    members = [f"{json.dumps(k)}:{json.dumps(v)}" for k, v in value.items()]
    members.insert(data.draw(st.integers(0, len(members))), f"{key}:{json.dumps(again)}")
    assert refusal(("{" + ",".join(members) + "}").encode()) is Refusal.DUPLICATE_KEY


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":12,"a":1}',
        b'{"a":1,"a":12}',
        b'{"a":"x","b":2,"a":"x"}',
        b'{"model":"a","mod\\u0065l":"a"}',
        b'{"a":1,"b":[1,"a"],"a":[1,"a"]}',
    ],
)
def test_duplicates_of_any_shape_are_refused(body):
    assert refusal(body) is Refusal.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Refusal.EMPTY),
        (b" \r\n", Refusal.EMPTY),
        (b'{"a":"\xff"}', Refusal.NOT_UTF8),
        (b'{"a":"\xed\xa0\x80"}', Refusal.NOT_UTF8),
        (b"[1]", Refusal.NOT_OBJECT),
        (b"null", Refusal.NOT_OBJECT),
        (b'{"a":1', Refusal.NOT_JSON),
        (b'{"a":1}x', Refusal.NOT_JSON),
        (b'{"a":NaN}', Refusal.NOT_JSON),
        (b'{"a":1,}', Refusal.NOT_JSON),
        (b"{'a':1}", Refusal.NOT_JSON),
        (b'\xef\xbb\xbf{"a":1}', Refusal.NOT_JSON),
    ],
)
def test_what_is_no_json_object_is_refused(body, reason):
    assert refusal(body) is reason


@pytest.mark.parametrize("levels", [129, 500, 10_000, 1_000_000])
def test_absurd_nesting_is_refused(levels):
    assert refusal(nested(levels)) is Refusal.TOO_DEEP
    assert refusal(nested(levels)[:-1] + b',"b":"[[{\\"{"}') is Refusal.TOO_DEEP


@pytest.mark.parametrize("kind", ["list", "object", "hidden by a repeated name", "in a long list"])
def test_the_limit_of_nesting_is_exact(kind):
    def body(levels):
        inner = (
            b'{"k":' * levels + b'"\\"}"' + b"}" * levels
            if kind == "object"
            else b"[" * levels + b"]" * levels
        )
        if kind == "in a long list":
            return b'{"a":[' + b'{"x":"[{"},' * 200 + inner + b"]}", 2
        if kind == "hidden by a repeated name":
            return b'{"a":{"b":' + inner + b',"b":0}}', 2
        return b'{"a":' + inner + b"}", 1

    around = body(0)[1]
    assert peek(body(128 - around)[0]).names() == ("a",)
    assert refusal(body(129 - around)[0]) is Refusal.TOO_DEEP


@given(VALUES, st.integers(0, 140))
def test_depth_agrees_with_a_simple_count(value, wraps):
    for _ in range(wraps):
        value = [value, "]["]
    body = json.dumps({"a": value, "pad": ["{"] * 200}).encode()
    deep, stack = 0, [(value, 1)]
    while stack:
        item, level = stack.pop()
        deep = max(deep, level + isinstance(item, (list, dict)))
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        stack.extend((child, level + 1) for child in inner)
    if deep > 128:
        assert refusal(body) is Refusal.TOO_DEEP
    else:
        assert peek(body).names() == ("a", "pad")


def test_fields_are_read_by_type():
    top = peek(
        b'{"t":"a\\u00e9\\n","i":100000000000000000000,"neg":-3,"yes":true,"no":false,"null":null,"o":{}}'
    )
    assert top.text("t") == "aé\n"
    assert top.integer("i") == 10**20
    assert top.integer("neg") == -3
    assert top.boolean("yes") is True
    assert top.boolean("no") is False
    for read in (top.text, top.integer, top.boolean, top.raw, top.kind):
        assert read("null") is None
        assert read("absent") is None
    assert top.kind("o") == ord("{")


@pytest.mark.parametrize("value", [b"5.0", b"5e1", b"true", b'"5"', b"[5]", b"1" * 1001])
def test_only_integers_are_integers(value):
    with pytest.raises(FieldError) as caught:
        peek(b'{"n":' + value + b"}").integer("n")
    assert (caught.value.name, caught.value.expected) == ("n", "an integer")


@pytest.mark.parametrize("value", [b"5", b"true", b"{}", b"[]"])
def test_only_strings_are_strings(value):
    with pytest.raises(FieldError):
        peek(b'{"n":' + value + b"}").text("n")


@pytest.mark.parametrize("value", [b"1", b'"true"', b"{}", b"0"])
def test_only_booleans_are_booleans(value):
    with pytest.raises(FieldError):
        peek(b'{"n":' + value + b"}").boolean("n")


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ \nau0123', max_size=40).map(str.encode))
def test_peek_agrees_with_a_parser_on_anything(body):
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = None
    reason, names = None, None
    try:
        names = set(peek(body).names())
    except PeekError as error:
        reason = error.reason
    if isinstance(whole, dict):
        assert names == set(whole) or reason in (Refusal.DUPLICATE_KEY, Refusal.NOT_UTF8)
    else:
        assert reason is not None
