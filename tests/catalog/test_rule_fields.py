"""Proof of the rules in the file: what is read, what is refused with line and reason."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.file import FileError, parse_file


def read(channel="", account="", platform="openai"):
    text = CHANNEL.replace('"openai"\n', f'"{platform}"\n', 1)
    if platform != "openai":
        text = text.replace("compatible = true\n", "\n")
    text = text.replace("[[channel.account]]\n", f"{channel}\n[[channel.account]]\n{account}\n", 1)
    return parse_file(text + "\n" + SITE, ENVIRON).channels[0]


def refusal(**rules):
    with pytest.raises(FileError) as caught:
        read(**rules)
    return caught.value.line, caught.value.reason


def test_without_rules_there_are_none():
    plan = read()
    assert plan.mapping == plan.accounts[0].mapping == plan.accounts[1].mapping == {}


def test_a_channel_and_an_account_have_mappings_of_their_own():
    plan = read(
        'mapping = {"gpt-5.4" = "vendor/up:1", "o9-*" = "up-9"}', 'mapping = {"gpt-5.4" = "x"}'
    )
    assert plan.mapping == {"gpt-5.4": "vendor/up:1", "o9-*": "up-9"}
    assert plan.accounts[0].mapping == {"gpt-5.4": "x"}
    assert plan.accounts[1].mapping == {}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ('"gpt"', "mapping must be a table"),
        ('["gpt"]', "mapping must be a table"),
        ('{"" = "x"}', "not empty"),
        ('{"a b" = "x"}', "no blanks"),
        ('{"a*b" = "x"}', "wildcard"),
        ('{"a" = ""}', "printable ASCII"),
        ('{"a" = 1}', "printable ASCII"),
        ('{"a" = "x y"}', "printable ASCII"),
        ('{"a" = "x*"}', "without *"),
        ('{"a" = "имя"}', "printable ASCII"),
        ('{"a" = "x\\r\\ny"}', "printable ASCII"),
        ('{"a" = {"b" = "c"}}', "printable ASCII"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(rule, reason):
    line, why = refusal(channel=f"mapping = {rule}")
    assert (line, reason in why) == (15, True), why
    line, why = refusal(account=f"mapping = {rule}")
    assert (line, reason in why) == (17, True), why


@pytest.mark.parametrize("sent", ["a/b", "../x", "x?y", "x%2f", "x:y", ".x", "x#"])
def test_at_gemini_a_name_stays_in_its_segment_of_the_path(sent):
    rule = f'mapping = {{"a" = "{sent}"}}'
    assert "part of a path" in refusal(channel=rule, platform="gemini")[1]
    if sent != "../x":
        assert read(channel=rule, platform="anthropic").mapping == {"a": sent}
    assert read(channel='mapping = {"a" = "up-1.5"}', platform="gemini").mapping == {"a": "up-1.5"}


def test_there_is_an_end_to_rules():
    rules = ", ".join(f'"a{number}" = "x"' for number in range(1_001))
    assert "at most 1000" in refusal(channel=f"mapping = {{{rules}}}")[1]
