"""Owns what requests to media endpoints have in common, be they JSON or a form.

Must not know any single endpoint, accounts or prices.
"""

import msgspec

from tollbridge.protocols.blobs import BlobScan, scan
from tollbridge.protocols.json_peek import FieldError, TopLevel
from tollbridge.protocols.multipart import Form

Source = TopLevel | Form
"""Where fields are read from: both read them by the same methods, with the same errors."""


class Refused(ValueError):
    """A parameter is outside what the model offers; `code` is the specific one of the catalogue.

    `message` is for the client; it repeats nothing of the request but a number or a size.
    """

    def __init__(self, code: str, param: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.message = message


def model_of(source: Source, default: str | None = None) -> str:
    """Return the model's name; FieldError when there is none and the protocol has no default."""
    model = source.text("model") or default
    if not model:
        raise FieldError("model", "a model name")
    return model


def renamed(source: Source, model: str) -> bytes:
    """Return the body with another model's name, every other byte as it was.

    ValueError for a form that names no model, or a name that a form cannot carry.
    """
    if isinstance(source, TopLevel):
        return source.replaced({"model": msgspec.json.encode(model)})
    if source.text("model") is None:
        raise ValueError("a form without a model")
    return source.replaced({"model": model.encode()})


def image_blobs(source: Source) -> BlobScan:
    """Return what a request carries besides text, for the input bound: each image is one piece."""
    if isinstance(source, TopLevel):
        return scan(source.body)
    sizes = [part.size for part in source.parts if part.filename is not None]
    return BlobScan(count=len(sizes), bytes=sum(sizes))
