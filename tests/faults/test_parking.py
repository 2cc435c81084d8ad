"""Accounts that fail are left out, through a real gateway: callers notice nothing, causes end."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.shop import Shop, open_shop
from tollbridge.demo.fake_books import AccountScript

KEY = f"sk-{'parking':-<40}"
NAMES = ("one", "two", "three")
_HEAD = """
[site]
allow_private_upstreams = true
[[model]]
name = "gpt-test"
context = 100000
max_output = 1000
input = "1"
output = "2"
[[channel]]
name = "main"
platform = "openai"
models = ["gpt-test"]
"""
_ACCOUNT = '[[channel.account]]\nname = "{name}"\nbase_url = "{vendor}"\nsecret = "{secret}"\n'
_USER = f"""
[[user]]
email = "a@example.com"
credit = "100.00"
[[user.key]]
name = "key"
secret = "{KEY}"
channel = "main"
"""


def catalogue(vendor: str, **secrets: str) -> str:
    accounts = "".join(
        _ACCOUNT.format(name=name, vendor=vendor, secret=secrets.get(name, name)) for name in NAMES
    )
    return _HEAD + accounts + _USER


@pytest.fixture
def shop(tmp_path) -> Iterator[Shop]:
    with open_shop(tmp_path, catalogue, {"TOLLBRIDGE_PARK_ACCOUNTS": "true"}) as opened:
        yield opened


def called(shop: Shop, times: int, **fields: Any) -> list[int]:
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}], **fields}
    # Each call is a session of its own, or all would go to one account.
    return [
        shop.http.post(
            "/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {KEY}", "x-session-id": str(uuid4())},
        ).status_code
        for _ in range(times)
    ]


def asked(shop: Shop) -> Counter[str]:
    return Counter(call.secret for call in shop.books.calls)


def fails(shop: Shop, name: str, **script: Any) -> None:
    shop.books.accounts[name] = AccountScript(script)


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_credential_is_asked_once_and_callers_notice_nothing(shop, stream):
    fails(shop, "one", status=401)
    assert called(shop, 30, stream=stream) == [200] * 30
    assert asked(shop)["one"] == 1
    assert asked(shop)["two"] + asked(shop)["three"] == 30


def test_a_session_stays_at_one_account_while_it_is_well(shop):
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {KEY}"}

    def talk(turns: int) -> Counter[str]:
        before = asked(shop)
        for turn in range(turns):
            body["messages"] += [
                {"role": "assistant", "content": "hi"},
                {"role": "user", "content": str(turn)},
            ]
            answer = shop.http.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == 200
        return asked(shop) - before

    ((home, count),) = talk(20).items()
    assert count == 20
    fails(shop, home, status=429, retry_after=4)
    elsewhere = talk(5)
    assert elsewhere[home] == 1
    del shop.books.accounts[home]
    time.sleep(4.1)
    assert talk(5) == {home: 5}


def test_with_another_credential_the_account_is_asked_again(shop):
    fails(shop, "one", status=401)
    called(shop, 12)
    shop.gateway.apply(catalogue(shop.vendor.url, one="renewed"))
    deadline = time.monotonic() + 10
    while not asked(shop)["renewed"]:
        assert called(shop, 1) == [200]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_limit_lasts_until_its_reset(shop):
    fails(shop, "one", status=429, retry_after=4)
    # A third of all sessions are its own: that none of so many is happens once in two million.
    assert called(shop, 36) == [200] * 36
    assert asked(shop)["one"] == 1
    del shop.books.accounts["one"]
    time.sleep(4.1)
    assert called(shop, 36) == [200] * 36
    assert asked(shop)["one"] > 1


def test_a_vendor_that_fails_half_of_all_calls_is_left_out_and_seen_to(shop):
    fails(shop, "one", status=500)
    # Ten failures open the breaker; the rest of the calls did not try. A third of all sessions are its
    # own: that fewer than ten of so many are happens once in a hundred million.
    assert called(shop, 100) == [200] * 100
    assert asked(shop)["one"] == 10


def test_with_everybody_parked_the_caller_is_told_when_to_come_back(shop):
    for name in NAMES:
        fails(shop, name, status=429, retry_after=50)
    called(shop, 3)
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}]}
    refused = shop.http.post(
        "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_available_account")
    assert 40 <= int(refused.headers["retry-after"]) <= 51
    assert sum(asked(shop).values()) == 3


def test_the_last_account_goes_on_through_passing_faults(shop):
    fails(shop, "one", status=401)
    fails(shop, "two", status=401)
    fails(shop, "three", status=529)
    assert set(called(shop, 8)) == {502}
    del shop.books.accounts["three"]
    assert called(shop, 3) == [200] * 3
