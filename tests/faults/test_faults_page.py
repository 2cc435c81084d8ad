"""The page of faults says what the table says, and the table is fit to be read."""

from tests.faults.faults_page import PAGE, written
from tests.faults.matrix import FAULTS, HEARD, Fault
from tollbridge.core.errors import CATALOGUE, Kind


def test_the_page_is_fresh():
    fresh = PAGE.read_text(encoding="utf-8") == written()
    assert fresh, "out of date: python -m tests.faults.faults_page --write"


def test_every_fault_is_a_row_of_its_own():
    rows = [
        line
        for line in written().splitlines()
        if line.startswith("| ") and "what happens" not in line
    ]
    assert len([line for line in rows if not line.startswith("| ---")]) == len(FAULTS)
    assert (
        len({fault.what for fault in FAULTS})
        == len({fault.name for fault in FAULTS})
        == len(FAULTS)
    )


def test_every_row_is_a_sentence_that_fits_a_table():
    for fault in FAULTS:
        assert fault.what.endswith("."), fault.name
        assert "|" not in fault.what and "\n" not in fault.what


def test_what_ends_after_content_is_tried_nowhere_else():
    late: list[Fault] = [fault for fault in FAULTS if fault.heard is None]
    assert late and not any(fault.elsewhere or fault.outcomes for fault in late)


def test_the_words_are_those_of_the_catalogue():
    """By hand in the table, so that neither can change unseen."""
    for kind, words in HEARD.items():
        row = CATALOGUE[kind]
        assert (row.status, row.retryable) == (words.status, words.retry)
        assert kind is Kind.UPSTREAM_BAD_REQUEST or row.code == words.code
