"""Proof that a fault of the file's readers is told by the name that it has here."""

from tollbridge.api.admin.editing import blamed
from tollbridge.api.admin.problems import Fault
from tollbridge.catalog.fields import FileError


def test_fields_are_named():
    error = FileError(3, "it is in the past", "from")
    assert blamed(error, {"from": "price_from"}).errors == (
        Fault("body.price_from", "It is in the past."),
    )
    assert blamed(error, {}).errors[0].field == "body.from"
    assert blamed(FileError(3, "x"), {}).errors[0].field == "body"
