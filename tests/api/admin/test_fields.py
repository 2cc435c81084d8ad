"""Proof of the forms in which ids, money and moments travel."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from tollbridge.api.admin.fields import (
    Body,
    GivenId,
    GivenMoment,
    Id,
    Moment,
    PlainText,
    Usd,
    id_of,
    moment_of,
)
from tollbridge.core.money import NANO


@given(st.integers(0, 2**63 - 1))
def test_an_id_travels_as_text(number: int):
    written = TypeAdapter(Id).dump_json(number)
    assert written == f'"{number}"'.encode()
    assert TypeAdapter(GivenId).validate_json(written) == number


@pytest.mark.parametrize(
    "value", ["", "-1", "1.0", " 1", "٣", "x", str(2**63), "9" * 40, 5, None, True]
)
def test_what_is_no_id(value):
    with pytest.raises(ValueError, match="19 digits"):
        id_of(value)


@given(st.integers(946_684_800_000, 4_102_444_800_000))
def test_a_moment_travels_as_text(at_ms: int):
    written = TypeAdapter(Moment).dump_json(at_ms)
    assert written.endswith(b'Z"')
    assert TypeAdapter(GivenMoment).validate_json(written) == at_ms


@pytest.mark.parametrize(
    "value",
    ["2026-01-01", "2026-01-01T00:00:00", "1767225600", 1767225600, None, "", "1999-12-31T23:59:59Z",
     "2100-01-02T00:00:00Z", "0001-01-01T00:00:00+23:59"],
)  # fmt: skip
def test_what_is_no_moment(value):
    with pytest.raises(ValueError, match="A moment"):
        moment_of(value)


def test_offsets_are_understood():
    assert moment_of("2026-01-01T01:00:00+01:00") == moment_of("2026-01-01T00:00:00Z")


def test_money_is_exact_dollars():
    write = TypeAdapter(Usd).dump_json
    assert write(0) == b'"0.00"'
    assert write(-1) == b'"-0.000000001"'
    assert write(10**9 * NANO + 5) == b'"1000000000.000000005"'


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x1b[2J", "\u202e"])
def test_text_has_no_control_characters(text: str):
    with pytest.raises(ValidationError):
        TypeAdapter(PlainText).validate_python(text)


@pytest.mark.parametrize(
    ("given", "place"),
    [({"text": "a\0b"}, ("text",)), ({"text": "\ud800"}, ("text",)), ({"number": 2**63}, ("number",)),
     ({"table": {"a": ["\0"]}}, ("table",)), ({"table": {"\0": 1}}, ("table",))],
)  # fmt: skip
def test_what_no_database_holds_is_refused_by_name(given: dict[str, object], place: tuple[str]):
    class Told(Body):
        text: str = ""
        number: int = 0
        table: dict[str, Any] = Field(default_factory=dict)

    with pytest.raises(ValidationError) as caught:
        Told.model_validate(given)
    assert [one["loc"] for one in caught.value.errors()] == [place]
    assert Told.model_validate({"text": "a\nb\U0001f389", "number": 2**63 - 1, "table": {"a": [1]}})


def test_bodies_are_taken_exactly():
    class Switch(Body):
        on: bool

    assert Switch.model_validate({"on": True}).on
    for wrong in ({"on": 1}, {"on": "true"}, {"on": True, "off": False}, {}):
        with pytest.raises(ValidationError):
            Switch.model_validate(wrong)
