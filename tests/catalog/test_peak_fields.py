"""Proof that peak hours are read exactly or refused with line and reason."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, MODEL, SITE
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.peak import Peak
from tollbridge.core.money import Multiplier

GOOD = {
    "from": '"18:00"', "to": '"02:30"', "zone": '"Asia/Shanghai"', "days": '["mon", "sun"]',
    "factor": '"1.5"',
}  # fmt: skip


def read(inline: str) -> Peak | None:
    text = CHANNEL.replace("rpm = 600", f"peak = {inline}", 1)
    return parse_file(text + SITE + MODEL, ENVIRON).channels[0].peak


def table(**changed: str | None) -> str:
    fields = {**GOOD, **{name.rstrip("_"): value for name, value in changed.items()}}
    return f"{{{', '.join(f'{name} = {text}' for name, text in fields.items() if text)}}}"


def test_every_field_arrives():
    expected = Peak(1_080, 150, frozenset({0, 6}), "Asia/Shanghai", Multiplier(3, 2))
    assert read(table()) == expected


def test_all_days_is_the_usual_and_a_day_ends_at_24():
    found = read(table(from_='"00:00"', to='"24:00"', days=None))
    assert found == Peak(0, 1_440, frozenset(range(7)), "Asia/Shanghai", Multiplier(3, 2))


def test_without_the_table_there_is_no_peak():
    assert parse_file(SITE + MODEL + CHANNEL, ENVIRON).channels[0].peak is None


def test_a_table_of_its_own_has_its_own_lines():
    text = SITE + MODEL + CHANNEL.replace(
        "\n[[channel.account]]", '\n[channel.peak]\nfrom = "1:00"\nto = "2:00"\nzone = "X"\n'
        '\n[[channel.account]]', 1
    )  # fmt: skip
    line = text.splitlines().index('zone = "X"') + 1
    with pytest.raises(FileError, match=rf"^line {line}: zone: there is no such time zone"):
        parse_file(text, ENVIRON)


@pytest.mark.parametrize(
    ("inline", "reason"),
    [
        ('"9-17"', "peak must be a table"),
        (table(from_=None), "peak needs from"),
        (table(to=None), "peak needs to"),
        (table(zone=None), "peak needs zone"),
        (table(factor=None), "peak needs factor"),
        (table(fator='"2"'), "did you mean factor"),
        (table(from_="9"), 'from must be a string in "quotes"'),
        (table(from_='"9"'), "from: a time of day is like 09:30"),
        (table(to='"24:30"'), "to: a time of day is like 09:30"),
        (table(from_='"24:00"'), "all day is 00:00 to 24:00"),
        (table(from_='"00:00"', to='"00:00"'), "all day is 00:00 to 24:00"),
        (table(zone='"Mars/Base"'), "zone: there is no such time zone; names are like"),
        (table(zone='"../../etc/passwd"'), "no such time zone"),
        (table(days="[]"), "days may hold mon, tue, wed, thu, fri, sat, sun"),
        (table(days='["monday"]'), "days may hold mon"),
        (table(days='["mon", "mon"]'), "days names something twice"),
        (table(days='"mon"'), "days must be a list of strings"),
        (table(factor="1.5"), 'factor must be a decimal string like "0.15"'),
        (table(factor='"0"'), "factor must be above 0 and at most 5"),
        (table(factor='"5.001"'), "factor must be above 0 and at most 5"),
        (table(factor='"-1"'), "factor must not carry a sign"),
        (table(factor='"0.0005"'), "factor may have three decimals"),
        (table(factor='"1.2345"'), "factor may have three decimals"),
    ],
)
def test_faults_are_named(inline: str, reason: str):
    with pytest.raises(FileError) as caught:
        read(inline)
    line = CHANNEL[: CHANNEL.index("rpm = 600")].count("\n") + 1
    assert caught.value.line == line
    assert reason in caught.value.reason
