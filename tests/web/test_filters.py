"""The twin of web/filters.py: figures are exact, and the same in every language."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.language import said
from tollbridge.web.filters import DASH, count, day, duration, iso, moment, share, usd

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = 1_769_868_309_999  # 2026-01-31 14:05:09.999 UTC


@given(st.integers(-(2**63), 2**63))
def test_an_amount_says_every_nano_dollar(nano: int):
    shown = usd(nano)
    assert shown.startswith("-$" if nano < 0 else "$")
    assert Decimal(shown.replace("$", "").replace(",", "")) * 10**9 == nano


@pytest.mark.parametrize(
    ("nano", "expected"),
    [
        (None, DASH), (0, "$0.00"), (1, "$0.000000001"), (-1_000, "-$0.000001"),
        (1_500_000_000, "$1.50"), (1_234_567_000_000_000, "$1,234,567.00"),
    ],
)  # fmt: skip
def test_amounts(nano: int | None, expected: str):
    assert usd(nano) == expected


@given(st.integers())
def test_a_number_keeps_its_digits(number: int):
    assert int(count(number).replace(",", "")) == number


def test_numbers():
    assert (count(12345), count(0), count(None)) == ("12,345", "0", DASH)


@given(st.integers(0, 10**18), st.integers(1, 10**18), st.integers(0, 4))
def test_a_share_is_rounded_to_nearest(part: int, whole: int, decimals: int):
    shown = Fraction(share(part, whole, decimals).removesuffix(" %"))
    assert abs(shown - Fraction(100 * part, whole)) <= Fraction(1, 2 * 10**decimals)


def test_shares():
    assert share(1, 3) == "33.3 %" and share(1, 3, 0) == "33 %" and share(2, 3, 2) == "66.67 %"
    assert share(1, 1) == "100.0 %" and share(1, 2000) == "0.1 %" and share(0, 0) == DASH


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (None, DASH), (0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (2_499, "2.4 s"),
        (59_999, "59.9 s"), (60_000, "1 min 0 s"), (200_000, "3 min 20 s"),
        (3_599_999, "59 min 59 s"), (3_600_000, "1 h 0 min"), (90_061_000, "25 h 1 min"),
    ],
)  # fmt: skip
def test_durations(ms: int | None, expected: str):
    assert duration(ms) == expected


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(7, "7 毫秒"), (2_499, "2.4 秒"), (200_000, "3 分 20 秒"), (3_660_000, "1 小时 1 分")],
)
def test_durations_in_chinese(ms: int, expected: str):
    assert said("zh_Hans", duration(ms)) == expected


def test_times_are_shown_in_a_zone():
    assert moment(AT, ZoneInfo("UTC")) == "2026-01-31 14:05:09"
    assert moment(AT, SHANGHAI) == "2026-01-31 22:05:09"
    assert (day(AT, SHANGHAI), day(AT + 2 * 3_600_000, SHANGHAI)) == ("2026-01-31", "2026-02-01")
    assert moment(None, SHANGHAI) == day(None, SHANGHAI) == DASH
    assert iso(AT) == "2026-01-31T14:05:09Z"


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_for_a_machine_is_that_second(ms: int):
    read = datetime.strptime(iso(ms), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert int(read.timestamp()) == ms // 1000
