"""Proof of the conversions between rows and values."""

import pytest
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.rows import (
    differing,
    names_from_json,
    object_from_json,
    texts_from_json,
    to_json,
)


def test_equal_values_are_equal_texts():
    assert to_json({"b": 1, "a": ("x",)}) == to_json({"a": ["x"], "b": 1}) == '{"a":["x"],"b":1}'
    assert to_json("名") == '"名"'


def test_names_come_back():
    assert names_from_json(to_json(("a", "b"))) == ("a", "b")


@pytest.mark.parametrize("text", ["{}", "[1]", '"a"', "", "[null]"])
def test_other_json_is_refused(text: str):
    with pytest.raises(ValueError):
        names_from_json(text)


def test_an_object_comes_back():
    assert object_from_json(to_json({"a": [1, {"b": None}]})) == {"a": [1, {"b": None}]}


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "", "null"])
def test_what_is_no_object_is_refused(text: str):
    with pytest.raises(ValueError):
        object_from_json(text)


def test_texts_come_back():
    assert texts_from_json(to_json({"a": "b", "*": ""})) == {"a": "b", "*": ""}


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '"a"', "", '{"a": null}'])
def test_what_is_no_object_of_texts_is_refused(text: str):
    with pytest.raises(ValueError):
        texts_from_json(text)


async def test_only_what_differs_is_returned(engine: AsyncEngine):
    async with engine.connect() as connection:
        query = select(literal(1).label("a"), literal("x").label("b"))
        row = (await connection.execute(query)).mappings().one()
    assert differing(row, {"a": 2, "b": "x"}) == {"a": 2}
