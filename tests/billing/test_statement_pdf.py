"""Proof that the PDF has the statement's text, the same bytes each time, and survives every name."""

import re
import zlib

import pytest

from tests.billing.months import STRANGE, statement, strange
from tollbridge.billing.statement_lines import lines
from tollbridge.billing.statement_pdf import latin, statement_pdf
from tollbridge.billing.statements import DayCharges

_STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\) Tj", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def words(raw: bytes) -> list[str]:
    """Return the texts that the pages show, in order."""
    assert raw.startswith(b"%PDF-1.") and raw.rstrip().endswith(b"%%EOF")
    found = []
    for stream in _STREAM.findall(raw):
        try:
            page = zlib.decompress(stream)
        except zlib.error:
            continue
        found += [_ESCAPED.sub(rb"\1", text).decode("latin-1") for text in _SHOWN.findall(page)]
    return found


def test_it_has_the_text():
    shown = words(statement_pdf(statement()))
    assert shown[0] == "Statement 2026-03"
    for line in lines(statement()):
        for cell in filter(None, line):
            assert cell in shown, cell


def test_the_same_statement_is_the_same_bytes():
    assert statement_pdf(statement()) == statement_pdf(statement())
    assert statement_pdf(statement()) != statement_pdf(statement(opening=1))


@pytest.mark.parametrize("name", STRANGE)
def test_every_name_can_be_shown(name: str):
    shown = " ".join(words(statement_pdf(strange(name))))
    assert "Closing balance" in shown


def test_long_ones_take_more_pages():
    days = [DayCharges(f"2026-03-{day % 31 + 1:02d}", day, day) for day in range(300)]
    raw = statement_pdf(statement(days=days))
    assert len(re.findall(rb"/Type /Page\b", raw)) > 4


def test_letters_that_the_fonts_lack():
    assert latin("模") == "\\u6a21"
    assert latin("é\n\x00🙂\ud800") == "é\\n\\x00\\U0001f642\\ud800"
    assert len(latin("x" * 999)) == 303
