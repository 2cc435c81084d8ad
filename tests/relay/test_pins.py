"""Proof of pinning: who may, what it binds to, and what everybody else hears (contract.md)."""

import pytest

from tests.relay.calls import account, asked, channel, key, snapshot
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.gate import Offers, read_body
from tollbridge.relay.pins import HEADER, pin

MAIN = channel(1, "main")
SPARE = channel(2, "spare", accounts=(account(5, name="first"), account(6, name="second")))
CLOSED = channel(3, "closed", enabled=False)
VIP = channel(4, "vip", groups=frozenset({"vip"}))
GONE = channel(5, "gone", groups=frozenset({"vip"}), enabled=False)
FAR = channel(6, "далеко")
CATALOGUE = snapshot(MAIN, SPARE, CLOSED, VIP, GONE, FAR)


def pinned(wish="", *, header=None, **values):
    headers = None if header is None else {HEADER: header}
    call = asked(
        by=key(**{"may_pin": True, "pin": wish, **values}), catalogue=CATALOGUE, headers=headers
    )
    pin(call)
    return call


def refused(*args, **values):
    with pytest.raises(ApiError) as caught:
        pinned(*args, **values)
    return caught.value


@pytest.mark.parametrize("rights", [{"may_pin": True}, {"may_pin": False, "user_role": "admin"}])
def test_who_may_pin_gets_the_channel_that_it_names(rights):
    call = pinned("spare", **rights)
    read_body(call)
    Offers().choose(call)
    assert (call.pinned, call.channel, call.only_account) == (SPARE, SPARE, None)


def test_without_a_wish_the_key_keeps_its_own_channel():
    call = pinned("")
    read_body(call)
    Offers().choose(call)
    assert (call.pinned, call.channel) == (None, MAIN)


def test_an_account_is_pinned_by_its_name():
    call = pinned("spare/second")
    assert (call.pinned, call.only_account) == (SPARE, 6)


def test_the_header_wins_over_what_stands_behind_the_key():
    assert pinned("main", header=b" spare ").pinned == SPARE


@pytest.mark.parametrize("header", [b"", b"  "])
def test_an_empty_header_names_nothing(header):
    assert pinned("spare", header=header).pinned == SPARE
    assert pinned("", header=header, may_pin=False).pinned is None


@pytest.mark.parametrize("header", ["далеко".encode(), "далеко/x".encode()])
def test_a_name_in_any_script_is_found(header):
    if b"/" in header:
        assert refused(header=header).kind is Kind.PIN_BAD_ID
    else:
        assert pinned(header=header).pinned == FAR


def test_bytes_that_are_no_utf8_are_a_name_too_and_nobodys():
    assert refused(header=b"\xff\xfe").kind is Kind.PIN_BAD_ID


def test_a_channel_that_the_users_group_may_not_choose_does_not_exist_for_it():
    for name in ("vip", "gone"):
        assert refused(name).kind is Kind.PIN_BAD_ID
    assert pinned("vip", user_group="vip").pinned == VIP
    assert refused("gone", user_group="vip").kind is Kind.CHANNEL_DISABLED


def test_an_administrator_and_a_key_of_that_channel_may_name_it_all_the_same():
    assert pinned("vip", may_pin=False, user_role="admin").pinned == VIP
    assert pinned("vip", channel_id=4).pinned == VIP


@pytest.mark.parametrize("role", ["user", "staff"])
def test_without_the_right_nobody_pins(role):
    error = refused("spare", may_pin=False, user_role=role)
    assert (error.kind, error.facts["key_last6"]) == (Kind.PIN_FORBIDDEN, "abc123")


@pytest.mark.parametrize("wish", ["nobody", "spare/nobody", "SPARE", "spare/", "1", "x" * 500])
def test_what_does_not_exist_is_a_bad_id(wish):
    if wish == "spare/":
        assert pinned(wish).only_account is None
    else:
        assert refused(wish).kind is Kind.PIN_BAD_ID


def test_a_channel_that_is_switched_off_says_so():
    assert refused("closed").kind is Kind.CHANNEL_DISABLED


def test_a_model_that_the_pinned_channel_has_not_is_looked_for_nowhere_else():
    catalogue = snapshot(MAIN, channel(2, "spare", models=["other"]))
    call = asked(by=key(may_pin=True, pin="spare"), catalogue=catalogue)
    pin(call)
    read_body(call)
    with pytest.raises(ApiError) as caught:
        Offers().choose(call)
    assert caught.value.kind is Kind.MODEL_UNKNOWN
    assert caught.value.facts["fixed_channel"] == "yes"
