"""Owns the catalogues of texts: what is said in code and templates, into .po and .mo files.

`make texts` brings the catalogues up to date: new texts come in empty, texts that nobody says any
more go, translations stay. The files hold neither dates nor places, so that they change when texts
do and never else. `--check` changes nothing and fails when a file is not what it would be made to.
Babel reads the .po files; the gateway itself needs the standard library's gettext alone.
"""

import argparse
import ast
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from babel.messages.catalog import Catalog
from babel.messages.pofile import normalize, read_po
from jinja2 import Environment

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "tollbridge"
DOMAIN: Final = "tollbridge"
PLURALS: Final = {"zh_Hans": (1, "0")}
"""By language: how many forms a count has, and which one, in gettext's words."""

_MARKS: Final = frozenset({"_", "N_", "gettext", "ngettext", "phrase"})
# These are methods too; `text` is only that of a visit (`web.visit`).
_METHODS: Final = frozenset({"gettext", "ngettext"})
_VISIT: Final = "visit"
# What the fields of this class say of themselves is shown on a page.
_DESCRIBED: Final = "Settings"
_MO_MAGIC: Final = 0x950412DE
_TEMPLATES: Final = (".html", ".jinja", ".txt")

Text: TypeAlias = tuple[str, ...]
"""What is translated: one text, or one for a single thing and one for many."""

Translated: TypeAlias = dict[Text, tuple[str, ...]]
"""The forms of a text in a language, each "" while nobody has translated it."""


class Unclear(Exception):
    """A catalogue or a source that cannot be used; the text says which and why."""


def texts_of_code(source: str) -> Iterator[Text]:
    """Return the texts that are marked in Python code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (many := _counts(node.func)):
            words = [_constant(argument) for argument in node.args[:many]]
            found = tuple(word for word in words if word)
            if len(found) == many:
                yield found
        elif isinstance(node, ast.ClassDef) and node.name == _DESCRIBED:
            yield from _descriptions(node)


def texts_of_template(source: str) -> Iterator[Text]:
    """Return the texts that are marked in a template."""
    reader = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for _, function, said in reader.extract_translations(source):  # type: ignore[attr-defined]
        words = said if isinstance(said, tuple) else (said,)
        found = tuple(word for word in words[: 2 if function == "ngettext" else 1] if word)
        if found:
            yield found


def all_texts(package: Path) -> set[Text]:
    """Return every text of a package. A text that also counts is one entry, the counting one."""
    found: set[Text] = set()
    for file in sorted(package.rglob("*.py")):
        found |= set(texts_of_code(file.read_text(encoding="utf-8")))
    for file in sorted((package / "templates").rglob("*")):
        if file.suffix in _TEMPLATES:
            found |= set(texts_of_template(file.read_text(encoding="utf-8")))
    counting = {text[0] for text in found if len(text) > 1}
    return {text for text in found if len(text) > 1 or text[0] not in counting}


def read(po: Path) -> Translated:
    """Return what a catalogue says; nothing when there is none yet. Unclear when it is damaged."""
    if not po.is_file():
        return {}
    with po.open("rb") as file:
        catalogue: Catalog = read_po(file, domain=DOMAIN, abort_invalid=True)
    translated: Translated = {}
    for message in catalogue:
        if not message.id:
            continue
        if message.fuzzy:
            raise Unclear(f"{po.name}: a fuzzy entry: {message.id}")
        ids, forms = message.id, message.string
        key = ids if isinstance(ids, list | tuple) else (ids,)
        translated[tuple(map(str, key))] = (
            tuple(forms) if isinstance(forms, tuple | list) else (str(forms),)
        )
    return translated


def updated(
    texts: Iterable[Text], known: Mapping[Text, tuple[str, ...]], language: str
) -> Translated:
    """Return the entries of these texts in their order, with the translations that are known."""
    many = PLURALS[language][0]
    made: Translated = {}
    for text in sorted(texts):
        forms = 1 if len(text) == 1 else many
        old = known.get(text, ())
        made[text] = old if len(old) == forms else ("",) * forms
    return made


def po_text(translated: Translated, language: str) -> str:
    """Return a catalogue as text."""
    parts = [f'msgid ""\nmsgstr {normalize(_header(language), width=0)}\n']
    for text, forms in translated.items():
        lines = [f"msgid {normalize(text[0], width=0)}"]
        if len(text) > 1:
            lines.append(f"msgid_plural {normalize(text[1], width=0)}")
            lines += [f"msgstr[{at}] {normalize(form, width=0)}" for at, form in enumerate(forms)]
        else:
            lines.append(f"msgstr {normalize(forms[0], width=0)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def mo_bytes(translated: Translated, language: str) -> bytes:
    """Return a catalogue as gettext reads it; what nobody has translated is left out."""
    entries = {b"": _header(language).encode()}
    for text, forms in translated.items():
        if all(forms):
            entries["\0".join(text).encode()] = "\0".join(forms).encode()
    ids = sorted(entries)
    said = [entries[one] for one in ids]
    starts = 7 * 4
    place = starts + 16 * len(ids)
    table, blob = b"", b""
    for word in (*ids, *said):
        table += struct.pack("<II", len(word), place + len(blob))
        blob += word + b"\0"
    half = starts + 8 * len(ids)
    head = struct.pack("<7I", _MO_MAGIC, 0, len(ids), starts, half, 0, place)
    return head + table + blob


def files_of(language: str, package: Path = PACKAGE) -> dict[Path, bytes]:
    """Return the files of a language as they are to be."""
    po = package / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    entries = updated(all_texts(package), read(po), language)
    return {
        po: po_text(entries, language).encode(),
        po.with_suffix(".mo"): mo_bytes(entries, language),
    }


def main(words: list[str] | None = None) -> int:
    """Write the catalogues, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description="Bring the catalogues of texts up to date.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale")
    is_check = parser.parse_args(words).check
    stale = [
        (path, content)
        for language in PLURALS
        for path, content in files_of(language).items()
        if not path.is_file() or path.read_bytes() != content
    ]
    for path, content in stale:
        print(f"{path.relative_to(ROOT)}: {'stale: run `make texts`' if is_check else 'written'}")
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return 1 if is_check and stale else 0


def _counts(function: ast.expr) -> int:
    """Return how many texts the first arguments of a function are; 0: it marks none."""
    name = ""
    if isinstance(function, ast.Name) and function.id in _MARKS:
        name = function.id
    elif isinstance(function, ast.Attribute):
        is_visit = isinstance(function.value, ast.Name) and function.value.id == _VISIT
        if function.attr in _METHODS or (is_visit and function.attr == "text"):
            name = function.attr
    return 0 if not name else 2 if name == "ngettext" else 1


def _descriptions(declared: ast.ClassDef) -> Iterator[Text]:
    for node in ast.walk(declared):
        if isinstance(node, ast.keyword) and node.arg == "description":
            yield (_constant(node.value),)


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _header(language: str) -> str:
    forms, which = PLURALS[language]
    return (
        f"Project-Id-Version: {DOMAIN}\n"
        f"Language: {language}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n"
        f"Plural-Forms: nplurals={forms}; plural={which};\n"
    )


if __name__ == "__main__":
    sys.exit(main())
