"""Owns the words of mail to users about their spending, in English with 简体中文 below. Pure.

Keys go by their names, amounts are dollars to the last digit; never a secret, never a body. Must not
know what makes it true.
"""
# ruff: noqa: RUF001 (Chinese is written with full-width marks)

from dataclasses import dataclass
from datetime import UTC, datetime

from tollbridge.core.money import format_usd
from tollbridge.core.redaction import clipped, mask_secrets, one_line
from tollbridge.notify.mail import Mail

_PERIODS = {"day": "日", "week": "周", "month": "月"}
_NAME_MAX = 64
_ALL = 100


@dataclass(frozen=True, slots=True)
class Spending:
    """So many percent of a limit or budget are spent. `what` is key_limit, key_budget or budget.

    `call` is the call that took it there; None: it was the limit that moved. Times in milliseconds.
    """

    what: str
    percent: int
    key: str
    spent: int
    limit: int
    call: str | None
    period: str = ""
    begins_ms: int = 0
    ends_ms: int = 0


@dataclass(frozen=True, slots=True)
class LowBalance:
    """A balance went below what its owner wants to be told of; `days` None: no pace to tell by."""

    balance: int
    low: int
    call: str | None
    days: int | None


def spending_mail(to: str, told: Spending) -> Mail:
    """Return the mail about a limit or budget; ValueError when `to` is no address."""
    english, chinese = _whose(told)
    subject = f"[tollbridge] {english}: {told.percent}% spent · {chinese}已用 {told.percent}%"
    return Mail(to, subject, _letter(_english(told, english), _chinese(told, chinese)))


def low_balance_mail(to: str, told: LowBalance) -> Mail:
    """Return the mail about a balance that is low; ValueError when `to` is no address."""
    subject = (
        f"[tollbridge] Balance below ${format_usd(told.low)} · 余额低于 ${format_usd(told.low)}"
    )
    balance, low = format_usd(told.balance), format_usd(told.low)
    english = [f"Your balance is ${balance}, less than ${low}.", *_pace(told.days)]
    chinese = [f"您的余额为 ${balance}，低于 ${low}。", *_pace_in_chinese(told.days)]
    if told.call is not None:
        english.append(f"The call that took it there: {told.call}")
        chinese.append(f"使余额低于该值的调用：{told.call}")
    english.append("When it is used up, calls are refused until credit is added.")
    chinese.append("余额用尽后，调用将被拒绝，直至充值。")
    return Mail(to, subject, _letter(english, chinese))


def _letter(english: list[str], chinese: list[str]) -> str:
    return "\n".join([*english, "", "---", "", *chinese]) + "\n"


def _whose(told: Spending) -> tuple[str, str]:
    name = clipped(one_line(mask_secrets(told.key)), _NAME_MAX)
    period = _PERIODS.get(told.period, "")
    if told.what == "key_limit":
        return f"Limit of key {name}", f"密钥 {name} 的额度"
    if told.what == "key_budget":
        return f"Budget of key {name} for this {told.period}", f"密钥 {name} 的本{period}预算"
    return f"Your budget for this {told.period}", f"您的本{period}预算"


def _english(told: Spending, whose: str) -> list[str]:
    spent, limit = format_usd(told.spent), format_usd(told.limit)
    lines = [f"{whose}: ${spent} of ${limit} is spent ({told.percent}% or more)."]
    if told.period:
        lines.append(f"This {told.period}: {_day(told.begins_ms)} to {_day(told.ends_ms)} (UTC).")
    if told.call is None:
        lines.append("No call took it there: what may be spent was changed.")
    else:
        lines.append(f"The call that took it there: {told.call}")
    lines.append(_then(told))
    return lines


def _then(told: Spending) -> str:
    if told.what == "budget":
        return "Calls go on: this budget only tells you."
    verb = "are refused" if told.percent >= _ALL else "will be refused at 100%"
    if told.what == "key_limit":
        return f"Calls with this key {verb} until the limit is raised."
    return f"Calls with this key {verb} until the next {told.period} begins."


def _chinese(told: Spending, whose: str) -> list[str]:
    spent, limit = format_usd(told.spent), format_usd(told.limit)
    lines = [f"{whose}：${limit} 中已用 ${spent}（达到 {told.percent}%）。"]
    if told.period:
        lines.append(f"周期：{_day(told.begins_ms)} 至 {_day(told.ends_ms)}（UTC）。")
    if told.call is None:
        lines.append("并非由某次调用引起：可用额度被更改。")
    else:
        lines.append(f"达到该比例的调用：{told.call}")
    lines.append(_then_in_chinese(told))
    return lines


def _then_in_chinese(told: Spending) -> str:
    if told.what == "budget":
        return "调用不受影响：此预算仅用于提醒。"
    when = "现在" if told.percent >= _ALL else "达到 100% 后"
    if told.what == "key_limit":
        return f"{when}使用此密钥的调用将被拒绝，直至提高额度。"
    return f"{when}使用此密钥的调用将被拒绝，直至下一{_PERIODS[told.period]}开始。"


def _pace(days: int | None) -> list[str]:
    if days is None:
        return []
    about = "less than a day" if days < 1 else "about 1 day" if days == 1 else f"about {days} days"
    return [f"At the pace of the last 7 days it lasts {about}."]


def _pace_in_chinese(days: int | None) -> list[str]:
    if days is None:
        return []
    return [f"按最近 7 天的用量，还可使用{'不到 1 天' if days < 1 else f'约 {days} 天'}。"]


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d")
