"""Proof that a statement's lines say all of it, once, and add up as they are printed."""

from fractions import Fraction

import pytest

from tests.billing.months import statement
from tollbridge.billing.statement_lines import head, kind_text, lines, statement_fields, title
from tollbridge.billing.statements import Entry


def test_lines_say_all_of_it():
    assert [tuple(line) for line in lines(statement())] == [
        ("Summary", "", "Opening balance", "", "", "5.00"),
        ("Summary", "", "Credits", "", "", "10.000000003"),
        ("Summary", "", "Debits", "", "", "-1.00"),
        ("Summary", "", "Charges of calls", "", "3", "-2.50"),
        ("Summary", "", "Closing balance", "", "", "11.500000003"),
        ("Credits", "2026-03-01T00:00:00+01:00", "Payment", "order-1", "", "10.000000003"),
        ("Debits", "2026-03-31T23:59:59+02:00", "Credit expired", "lot-1", "", "-1.00"),
        ("Charges by day", "2026-03-05", "", "", "3", "-2.50"),
        ("Charges by model", "", "gpt-5.4", "main", "2", "-2.00"),
        ("Charges by model", "", "gpt-5", "8", "1", "-0.50"),
        ("Charges by model", "", "(removed)", "(removed)", "0", "0.00"),
    ]


def test_printed_amounts_add_up():
    summary = [Fraction(line.amount) for line in lines(statement()) if line.section == "Summary"]
    assert sum(summary[:-1]) == summary[-1]


def test_the_head():
    shown = dict(head(statement()))
    assert shown["Period"] == "2026-03-01T00:00:00+01:00 to 2026-04-01T00:00:00+02:00"
    assert shown["Time zone"] == "Europe/Berlin"
    assert shown["State"] == "complete"
    assert title(statement()) == "Statement 2026-03"
    state = dict(head(statement(is_final=False, complete_until_ms=0)))["State"]
    assert state.startswith("not complete") and "1970-01-01T00:00:00.000Z" in state


def test_a_final_statement_says_nothing_of_when_it_was_asked_for():
    early, late = (statement(complete_until_ms=2**42 + more) for more in (0, 1))
    assert list(lines(early)) == list(lines(late))
    assert head(early) == head(late)
    assert statement_fields(early) == statement_fields(late)


def test_kinds_without_words_are_named_as_they_are():
    assert kind_text(Entry(0, "moon-tax", "", -1)) == "moon-tax"


def test_grants_are_named_by_what_they_came_of():
    given = {
        "code:7": ("Redeemed code", "code"),
        "bonus:ab": ("Bonus", "bonus"),
        "apply:1": ("Credit", "grant"),
    }
    for ref, (text, kind) in given.items():
        entry = Entry(0, "grant", ref, 1)
        assert kind_text(entry) == text
        [shown] = statement_fields(statement(entries=(entry,)))["entries"]
        assert (shown["kind"], shown["ref"]) == (kind, ref)


def test_plain_values():
    shown = statement_fields(statement(is_final=False))
    assert shown["complete_until"] == "2026-03-31T22:00:00.000Z"
    sums = {name: shown[name] for name in ("opening", "credits", "debits", "charges", "closing")}
    assert sums == {
        "opening": "5.00", "credits": "10.000000003", "debits": "1.00", "charges": "2.50",
        "closing": "11.500000003",
    }  # fmt: skip
    assert shown["models"][1] == {
        "model": "gpt-5", "channel": {"id": "8", "name": None}, "calls": 1, "charge": "0.50"
    }  # fmt: skip
    assert shown["entries"][1]["amount"] == "-1.00"


@pytest.mark.parametrize(
    ("kind", "ref", "told"),
    [
        ("grant", "bonus:9fcd", ""),
        ("adjustment", "form:x", ""),
        ("reversal", "01a2", "01a2"),
        ("order", "7", "7"),
    ],
)
def test_a_reference_is_told_where_it_says_something(kind: str, ref: str, told: str) -> None:
    one = statement(entries=(Entry(0, kind, ref, 1),))
    [line] = [each for each in lines(one) if each.section == "Credits"]
    assert line.detail == told
