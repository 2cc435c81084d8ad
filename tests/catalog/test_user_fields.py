"""Proof of the [[user]] tables: keys, limits, moments, and what this version does not honour."""

import pytest

from tests.catalog.sample import USER
from tollbridge.catalog.file import FileError, Known, parse_file
from tollbridge.catalog.plan import BudgetPlan, KeyPlan, LimitsPlan, UserPlan

KNOWN = Known(frozenset({"main"}))


def read(text: str) -> UserPlan:
    return parse_file(text, {}, KNOWN).users[0]


def test_every_field_arrives():
    user = read(USER)
    assert (user.email, user.role, user.group) == ("Demo@example.com", "admin", "vip")
    assert (user.password, user.credit) == ("long enough", 5_000_000_000)
    assert user.limits == LimitsPlan(300, 1_000_000, 32)
    assert user.keys[0] == KeyPlan(
        line=11,
        name="demo",
        secret="sk-0123456789abcdef0123456789abcdef",
        channel="main",
        limit=2_000_000_000,
        expires_ms=1_896_048_000_000,
        ips=("10.1.2.3/32", "2001:db8::/32"),
        models=("gpt-5.4",),
        limits=LimitsPlan(30, 50_000, 2),
        budget=BudgetPlan(1_500_000_000, "week"),
        may_pin=True,
    )
    assert user.keys[1] == KeyPlan(26, "other", None, None, None, None, (), ())


def test_defaults():
    user = read('[[user]]\nemail = "a@b.org"')
    assert user == UserPlan(1, "a@b.org", "user", "default", None, None, ())


@pytest.mark.parametrize("telegram_id", [1, 2**63 - 1])
def test_a_user_can_be_bound_to_telegram(telegram_id: int):
    user = read(f'[[user]]\nemail = "a@b.org"\ntelegram_id = {telegram_id}')
    assert user == UserPlan(
        1, "a@b.org", "user", "default", None, None, (), telegram_id=telegram_id
    )


def test_what_a_user_wants_to_be_told_of():
    text = 'budget = "50.00"\nbudget_period = "month"\nlow_balance = "0"'
    user = read(f'[[user]]\nemail = "a@b.org"\n{text}')
    assert user.budget == BudgetPlan(50_000_000_000, "month")
    assert user.low_balance == 0


def test_a_moment_may_be_a_string_and_have_any_offset():
    text = USER.replace("2030-01-31T00:00:00Z", '"2030-01-31T08:00:00+08:00"')
    assert read(text).keys[0].expires_ms == 1_896_048_000_000


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('email = "Demo@example.com"', "", 1, "needs email"),
        ("Demo@example.com", "example.com", 2, "e-mail"),
        ("Demo@example.com", "a@b@c", 2, "e-mail"),
        ('role = "admin"', 'role = "root"', 3, "user, staff, admin"),
        ('"long enough"', '"short"', 5, "8 to 1024"),
        ('"5.00"', "5", 6, "decimal string"),
        ('"5.00"', '"-5"', 6, "credit"),
        ("sk-0123456789abcdef0123456789abcdef", "sk-short", 13, "at least 32"),
        ("sk-0123456789abcdef0123456789abcdef", "sk 0123456789abcdef0123456789abc", 13, "blanks"),
        ('channel = "main"', 'channel = "mian"', 14, "neither in this file nor known"),
        ('"2.00"', '"2.0000000001"', 15, "limit"),
        ('"10.1.2.3"', '"10.1.2"', 16, "addresses or networks"),
        ('["gpt-5.4"]', '["gpt-*"]', 17, "exact names"),
        ("2030-01-31T00:00:00Z", "2030-01-31", 18, "offset"),
        ("2030-01-31T00:00:00Z", "2030-01-31T00:00:00", 18, "offset"),
        ("2030-01-31T00:00:00Z", '"soon"', 18, "offset"),
        ("2030-01-31T00:00:00Z", "1896048000", 18, "offset"),
        ("may_pin = true", "may_pin = 1", 19, "true or false"),
        ("rpm = 300", "rpm = -1", 7, "rpm must be from 0"),
        ("tpm = 1000000", "tpm = 1000000000001", 8, "tpm must be from 0"),
        ("concurrency = 32", "concurrency = true", 9, "whole number"),
        ("concurrency = 32", "telegram_id = 0", 9, "telegram_id must be from 1"),
        ("concurrency = 32", f"telegram_id = {2**63}", 9, "telegram_id"),
        ("concurrency = 32", 'telegram_id = "7"', 9, "whole number"),
        ("concurrency = 32", 'budget = "1.00"', 9, "budget needs a budget_period"),
        ("concurrency = 32", "low_balance = 2", 9, "decimal string"),
        ("rpm = 30\n", 'rpm = "30"\n', 20, "whole number"),
        ("tpm = 50000\n", "tpm = -1\n", 21, "tpm must be from 0"),
        ("concurrency = 2\n", "concurrency = 1.5\n", 22, "whole number"),
        ('budget = "1.50"', "budget = 1.5", 23, "decimal string"),
        ('budget = "1.50"', 'budget = "-1"', 23, "budget"),
        ('budget = "1.50"', 'budget = "0.00"', 23, "above 0"),
        ('budget = "1.50"', 'budget = "9999999999999"', 23, "too large"),
        ('budget = "1.50"\n', "", 23, "budget_period needs a budget"),
        ('budget_period = "week"\n', "", 23, "budget needs a budget_period"),
        ('"week"', '"year"', 24, "day, week, month"),
        ('"week"', "7", 24, "string"),
        ('name = "other"', 'name = "demo"', 1, "key demo is named twice"),
        ('name = "other"', "", 26, "needs name"),
        ('name = "other"', 'nam = "x"', 27, "did you mean name?"),
    ],
)
def test_a_wrong_field_says_line_and_reason(old: str, new: str, line: int, reason: str):
    assert old in USER
    with pytest.raises(FileError) as caught:
        read(USER.replace(old, new, 1))
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value
    assert "sk-0" not in str(caught.value)
    assert "long enough" not in str(caught.value)
