"""Owns how the pretend vendor reads multipart forms.

Pure: bytes in, values out. Only what SDKs and browsers send is understood. It must not know what a
form is for.
"""

import re
from dataclasses import dataclass, field

from tollbridge.demo.fake_script import BadAsk

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'(?<!file)name="([^"]*)"')
_FILE = re.compile(rb'filename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class File:
    """One file of a form."""

    field: str
    name: str
    data: bytes


@dataclass(slots=True)
class Form:
    """A form's texts by field name, `[]` left out; of a repeated field all values, and its files."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """Return a field's first value."""
        return self.texts.get(name, [default])[0]

    def count(self, name: str, default: int) -> int:
        """Return a field's value as a number; BadAsk when it is none."""
        text = self.text(name)
        if text and not text.isdecimal():
            raise BadAsk(f"Invalid type for '{name}': expected an integer.")
        return int(text) if text else default


def read_form(kind: str, body: bytes) -> Form:
    """Read a multipart body by its content type; BadAsk when there is no boundary in it."""
    found = _BOUNDARY.search(kind)
    if found is None:
        raise BadAsk("Could not parse multipart form.")
    form = Form()
    mark = b"--" + found.group(1).encode("latin-1")
    for part in (b"\r\n" + body).split(b"\r\n" + mark)[1:-1]:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            continue
        called = name.group(1).decode().removesuffix("[]")
        file = _FILE.search(head)
        if file is None:
            form.texts.setdefault(called, []).append(data.decode("utf-8", "replace"))
        else:
            form.files.append(File(called, file.group(1).decode("utf-8", "replace"), data))
    return form
