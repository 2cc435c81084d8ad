"""Proof of the words that users get, and that they arrive at a mail server as they are."""

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
    assert mail.subject == ("[tollbridge] Limit of key prod: 80% spent · 密钥 prod 的额度已用 80%")
    english, _, chinese = mail.text.partition("\n---\n")
    assert english.splitlines() == [
        "Limit of key prod: $8.000000001 of $10.00 is spent (80% or more).",
        f"The call that took it there: {'0' * 32}",
        "Calls with this key will be refused at 100% until the limit is raised.",
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
                "This month: 2026-03-01 to 2026-04-01 (UTC).",
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
    assert mail.subject == "[tollbridge] Balance below $2.00 · 余额低于 $2.00"
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
    assert got.message.get_content().replace("\r\n", "\n") == mail.text
