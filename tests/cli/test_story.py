"""The twin of cli/story.py: every part of a call in words, and JSON that loses no digit."""

import json

from tests.billing.test_receipts import LOW, PRICE, row
from tollbridge.billing.bill import Bill
from tollbridge.billing.explain import Attempt, JournalLine, OpenHold, Settled, Story
from tollbridge.billing.receipts import receipt_of
from tollbridge.catalog.prices import Price
from tollbridge.cli.story import as_json, as_text
from tollbridge.protocols.usage import Usage

AT = 1_800_000_000_123
TID = f"{AT:012x}" + "0" * 20
BILL = Bill(TID, AT, 2, 3, "my key", 4, 5, "main", 6, "asked", "sent", "chat", "openai", True,
            9, 1, 1, "curl", 1200, 8)  # fmt: skip
LINE = JournalLine(2**62, AT, "wallet:4", "revenue", 40_000_000_001, "USD", "charge")


def settled(price=PRICE, **ending):
    used = Usage(input=300, output=7, request=1)
    facts = row(used, charged=2**60, flags=("estimated", "odd"), **ending)
    return Settled(receipt_of(facts, price), 2, 3, 4, 5, 6, "first", "openai", None, 1, 2, 3,
                   (Attempt(7, None, "timeout", 9000),))  # fmt: skip


def hold(**changed):
    facts = {
        "purses": (4, 2**60), "amount": 5, "covered": 1, "at_ms": AT, "node_id": 1, "epoch": 3,
        "node": "a", "beat_ms": AT + 1000, "over": False, "bill": BILL,
    }  # fmt: skip
    return OpenHold(**facts | changed)


def text(**parts):
    facts = {"hold": None, "settled": None, "lines": (), "wrong": (), "verdict": "right"}
    return "\n".join(as_text(Story(TID, **facts | parts)))


def test_a_running_call():
    said = text(hold=hold())
    assert said.splitlines() == [
        f"call {TID}, begun 2027-01-15 08:00:00.123Z",
        f"hold: $0.000000005 in purse 4, {2**60} since 2027-01-15 08:00:00.123Z",
        "  charged if its node dies now: $0.000000001",
        "  epoch 3 of node a (1), alive, last beat 2027-01-15 08:00:01.123Z",
        "  asked for user 2, key my key (3)",
        "  counted so far: input 1,200, output 8",
        "journal: no lines",
        "verdict: right",
    ]


def test_a_call_of_a_node_that_is_over():
    assert "node a (1), declared dead, last beat" in text(hold=hold(over=True, bill=None))
    gone = text(hold=hold(node=None, beat_ms=None, over=True, bill=None))
    assert "  epoch 3 of node 1, which is over" in gone


def test_a_settled_call():
    said = text(settled=settled(error_kind="internal"), lines=(LINE,))
    for part in (
        "chat, stream, status 200: answered to the end (internal)",
        "  flag estimated: the provider told no usage: counted from the text",
        "  flag odd: not known to this version",
        "  attempt 1: account since removed (7): timeout after 9,000 ms",
        "  channel main (5), account first (6) on openai",
        "  input: 300 x $2.50 a million = $0.00075",
        "  request: 1 x $0.000000003 each = $0.000000003",
        "  x 0.1, rounded up: $0.000082001",
        f"  = charge ${2**60 // 10**9}.{2**60 % 10**9:09d}",
        "  2027-01-15 08:00:00.123Z charge wallet:4 -> revenue $40.000000001 (4611686018427387904)",
    ):
        assert part in said.splitlines()


def test_a_call_whose_price_is_gone_and_a_part_of_a_nano_dollar():
    assert "  counted: input 300, output 7" in text(settled=settled(None)).splitlines()
    odd = Price(9, "gpt", LOW.filled({"input": 1, "output": 1}))
    assert "  input: 300 x $0.000000001 a million = $0.00 and a bit" in text(settled=settled(odd))


def test_json_keeps_every_digit_and_the_names_of_a_bill():
    told = json.loads(as_json(Story(TID, hold(), settled(), (LINE,), (), "right")))
    assert told["lines"][0]["id"] == str(2**62)
    assert told["lines"][0]["amount"] == "40000000001"
    assert told["hold"]["purses"] == ["4", str(2**60)]
    assert told["hold"]["bill"]["key_name"] == "my key"
    assert told["settled"]["receipt"]["charge"] == str(2**60)
    assert told["settled"]["receipt"]["counts"] == {"input": 300, "output": 7}
    assert json.loads(as_json(Story(TID, None, None, (LINE,), ("a",), "b")))["hold"] is None
