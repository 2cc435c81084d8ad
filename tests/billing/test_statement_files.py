"""Proof that every format is handed out under its own name and type, and needs nothing from elsewhere."""

import json

import pytest

from tests.billing.months import statement
from tollbridge.billing.statement_files import FORMATS, statement_file
from tollbridge.billing.statement_html import POLICY


@pytest.mark.parametrize("name", sorted(FORMATS))
async def test_a_file_says_what_it_is(name: str):
    one = statement(zone="Europe/Berlin")
    file = await statement_file(one, name)
    kind = {"json": "json", "csv": "csv", "html": "html", "pdf": "pdf"}[name]
    assert kind in file.headers["content-type"]
    ending = f'filename="statement-{one.month}-Europe-Berlin.{name}"'
    assert file.headers["content-disposition"] == f"inline; {ending}"
    assert file.headers["content-security-policy"] == POLICY
    assert file.body.startswith(b"%PDF") is (name == "pdf")


async def test_the_plain_values_are_json():
    one = statement()
    assert json.loads((await statement_file(one, "json")).body)["month"] == one.month


async def test_there_are_no_other_formats():
    with pytest.raises(KeyError):
        await statement_file(statement(), "xml")
