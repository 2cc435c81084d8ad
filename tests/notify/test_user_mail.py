"""Proof of the words that users get, and that they arrive at a mail server as they are."""

from html import escape
from pathlib import Path

import pytest

from tests.services.smtp import mail_server
from tollbridge.notify.mail import Mailer
from tollbridge.notify.user_mail import LowBalance, Spending, low_balance_mail, spending_mail

TO = "dev@example.test"
NANO = 10**9
MARCH, APRIL = 1_772_323_200_000, 1_775_001_600_000
LIMIT = Spending("key_limit", 80, "prod", 8 * NANO + 1, 10 * NANO, "0" * 32)
BUDGET = Spending("budget", 100, "", 50 * NANO, 50 * NANO, "1" * 32, "month", MARCH, APRIL)


def test_a_limit():
    mail = spending_mail(TO, LIMIT)
    assert mail.subject == ("[Tollbridge] Limit of key prod: 80% spent · 密钥 prod 的限额已用 80%")
    english, _, chinese = mail.text.partition("\n\n---\n\n")
    assert english.split("\n\n") == [
        "Limit of key prod: $8.000000001 of $10.00 is spent (80% or more).",
        f"The call that took it there: {'0' * 32}",
        "Calls with this key will be refused at 100% until the limit is raised.",
        "— Tollbridge",
    ]
    assert "8.000000001" in chinese
    assert "0" * 32 in chinese


@pytest.mark.parametrize(
    ("told", "sentences"),
    [
        (
            BUDGET,
            [
                "Your budget for this month: $50.00 of $50.00 is spent",
                "Period: 2026-03-01 to 2026-04-01 (UTC).",
                "Calls go on: this budget only tells you.",
                "您的本月预算",
            ],
        ),
        (
            Spending("key_budget", 100, "ci", 1, 1, None, "day", MARCH, MARCH + 86_400_000),
            [
                "Budget of key ci for this day: $0.000000001 of $0.000000001",
                "No call took it there",
                "are refused until the next day begins",
                "密钥 ci 的本日预算",
            ],
        ),
    ],
)
def test_budgets(told: Spending, sentences: list[str]):
    text = spending_mail(TO, told).text
    assert [one for one in sentences if one not in text] == []


@pytest.mark.parametrize(
    ("days", "english", "chinese"),
    [
        (0, "it lasts less than a day", "不到 1 天"),
        (1, "it lasts about 1 day.", "约 1 天"),
        (12, "it lasts about 12 days.", "约 12 天"),
        (None, "Your balance is $1.50, less than $2.00.", "您的余额为 $1.50"),
    ],
)
def test_a_low_balance(days: int | None, english: str, chinese: str):
    told = LowBalance(3 * NANO // 2, 2 * NANO, "2" * 32, days)
    mail = low_balance_mail(TO, told)
    assert mail.subject == "[Tollbridge] Balance below $2.00 · 余额低于 $2.00"
    assert english in mail.text
    assert chinese in mail.text
    assert ("the pace of" in mail.text) == (days is not None)


def test_a_name_that_looks_like_a_secret_or_a_header_is_neither():
    name = "sk-0123456789abcdef0123456789abcdef\r\nBcc: x@y.z"
    mail = spending_mail(TO, Spending("key_limit", 80, name, 1, 1, None))
    assert "sk-0123456789" not in mail.subject + mail.text
    assert "\n" not in mail.subject


async def test_it_arrives_as_it_is_written():
    mail = spending_mail(TO, LIMIT)
    async with mail_server() as server:
        mailer = Mailer(
            sender="gate@example.test", folder=Path("unused"), host="127.0.0.1",
            port=server.port, security="none",
        )  # fmt: skip
        await mailer.send(mail, "m-1", MARCH)
    (got,) = server.mails
    assert got.to == [TO]
    assert got.message["subject"] == mail.subject
    plain = got.message.get_body(("plain",))
    assert plain.get_content().replace("\r\n", "\n") == mail.text


@pytest.mark.parametrize(
    ("language", "subject", "not_there"),
    [
        ("en", "[Bridge] Limit of key prod: 80% spent", "限额"),
        ("zh_Hans", "[Bridge] 密钥 prod 的限额已用 80%", "Limit of"),
    ],
)
def test_who_chose_a_language_gets_that_one(language: str, subject: str, not_there: str):
    mail = spending_mail(TO, LIMIT, language, "Bridge")
    assert mail.subject == subject
    assert mail.html is not None
    assert not_there not in mail.text + mail.html
    low = low_balance_mail(TO, LowBalance(1, 2, None, 3), language, "Bridge")
    assert "---" not in low.text


@pytest.mark.parametrize("percent", [80, 100])
@pytest.mark.parametrize("period", ["", "day", "week", "month"])
def test_html_says_what_the_text_says(percent: int, period: str):
    what = "key_budget" if period else "key_limit"
    told = Spending(what, percent, "<b>&", 1, 2, "3" * 32, period, MARCH, APRIL)
    mail = spending_mail(TO, told)
    assert mail.html is not None
    assert "<b>&" not in mail.html
    for line in filter(None, mail.text.splitlines()):
        if line != "---":
            assert escape(line.removeprefix("— "), quote=False) in mail.html
