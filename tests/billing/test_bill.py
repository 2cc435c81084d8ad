"""The twin of billing/bill.py: what is stored in a hold, and the row made of it."""

import json

import msgspec
import pytest

from tests.storage import books
from tollbridge.billing.bill import Bill, Ending, counted_items, pack, unpack, usage_row
from tollbridge.protocols.usage import ImageCount, Usage
from tollbridge.storage.ledger_items import USAGE_COLUMNS

BILL = Bill("t" * 32, 5, 6, 7, "key", books.WALLET, 8, "channel", 9, "asked", "sent", "chat",
            "openai", True, 10, 3, 20, "client", 11, 12)  # fmt: skip


def test_a_bill_survives_its_hold():
    assert unpack(pack(BILL)) == BILL


def test_the_format_of_stored_bills_only_grows():
    stored = '["t",5,6,7,"key",1,8,"channel",null,"asked","sent","chat","openai",true,10,3,20,"c"]'
    bill = unpack(stored)
    assert (bill.tid, bill.num, bill.den, bill.client) == ("t", 3, 20, "c")
    assert (bill.account_id, bill.input, bill.output) == (None, 0, 0)
    assert json.loads(pack(BILL))[:4] == ["t" * 32, 5, 6, 7]
    newer = stored[:-1] + ',1,2,{"audio_output":3},null,"from a later version"]'
    assert (unpack(newer).output, unpack(newer).used) == (2, Usage(audio_output=3))
    assert (bill.used, unpack(stored[:-1] + ",1,2,null]").used) == (None, None)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '["t"]', "[1,2", '["\\ud800"]'])
def test_what_is_no_bill_says_so(text):
    with pytest.raises(msgspec.DecodeError):
        unpack(text)


def test_every_column_gets_its_own_value():
    counts = {name: 100 + place for place, name in enumerate(USAGE_COLUMNS[19:29])}
    end = Ending(
        state="partial",
        status=499,
        error_kind="internal",
        flags=("estimated", "partial"),
        usage=Usage(**counts, request=1, tier="flex"),
        model_answered="answered",
        list_cost=31,
        own_cost=32,
        held=33,
        first_token_ms=34,
        total_ms=35,
        attempts="[]",
    )
    row = dict(zip(USAGE_COLUMNS, usage_row(BILL, end), strict=False))
    assert row == {
        "tid": "t" * 32, "at_ms": 5, "user_id": 6, "key_id": 7, "key_name": "key", "wallet_id": 1,
        "channel_id": 8, "channel_name": "channel", "account_id": 9, "model_asked": "asked",
        "model_sent": "sent", "model_answered": "answered", "surface": "chat",
        "platform": "openai", "stream": True, "status": 499, "error_kind": "internal",
        "end_state": "partial", "flags": "estimated,partial", **counts, "items": '{"request":1}',
        "price_id": 10, "multiplier_num": 3, "multiplier_den": 20, "list_cost": 31,
        "own_cost": 32, "held": 33, "first_token_ms": 34, "total_ms": 35, "client": "client",
        "attempts": "[]", "service_tier": "flex", "factors": None, "reversed": 0,
    }  # fmt: skip


def test_only_what_is_counted_is_listed():
    assert counted_items(Usage(input=5, output=6)) is None
    used = Usage(web_search=2, second=3, character=4, images=(ImageCount("1x1", "hd", 5),))
    assert json.loads(counted_items(used)) == {
        "web_search": 2,
        "second": 3,
        "character": 4,
        "images": [["1x1", "hd", 5]],
    }
