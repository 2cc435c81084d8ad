"""Builds multipart forms for tests the plainest way; knows nothing of the code under test."""

from collections.abc import Iterable
from typing import Any

BOUNDARY = b"a-boundary"
CONTENT_TYPE = b"multipart/form-data; boundary=" + BOUNDARY


def part(name: str, value: bytes, *, filename: str | None = None, headers: bytes = b"") -> bytes:
    """Return one part without its boundary."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return disposition.encode() + b"\r\n" + headers + b"\r\n" + value


def form(parts: Iterable[bytes], boundary: bytes = BOUNDARY) -> bytes:
    """Return a whole body."""
    joined = b"".join(b"--" + boundary + b"\r\n" + one + b"\r\n" for one in parts)
    return joined + b"--" + boundary + b"--\r\n"


def fields(files: dict[str, bytes] | None = None, /, **texts: Any) -> bytes:
    """Return a body of these text fields, then these files."""
    parts = [part(name, str(value).encode()) for name, value in texts.items()]
    parts += [
        part(name, value, filename=f"{name}.bin", headers=b"Content-Type: audio/wav\r\n")
        for name, value in (files or {}).items()
    ]
    return form(parts)


def recorded(request: Any) -> bytes | None:
    """Return a recorded form with its files as so many zeros; None for any other request."""
    parts = (request or {}).get("__multipart__")
    if not parts:
        return None
    return form(
        part(one["name"], one["value"].encode())
        if "value" in one
        else part(one["name"], bytes(one["length"]), filename=one["filename"])
        for one in parts
    )
