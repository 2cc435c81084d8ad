"""Proof of the [[channel]] tables: secrets, addresses, and what this version does not honour."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.plan import AccountPlan, ChannelPlan, LimitsPlan
from tollbridge.core.money import Multiplier


def read(text: str, site: str = SITE) -> ChannelPlan:
    return parse_file(text + "\n" + site, ENVIRON).channels[0]


def test_every_field_arrives():
    plan = read(CHANNEL)
    first = AccountPlan(
        15,
        "primary",
        "http://127.0.0.1:9000",
        "upstream-key",
        10,
        1,
        True,
        "",
        Multiplier(1, 2),
        LimitsPlan(60, 100_000, 4),
    )
    assert plan.accounts[0] == first
    assert plan.limits == LimitsPlan(600, 2_000_000, 64)
    assert plan.accounts[1].limits == LimitsPlan()
    assert plan.accounts[1].secret == "from-the-environment"
    assert plan.accounts[1].proxy == "socks5://192.0.2.7:1080"
    assert (plan.multiplier, plan.groups) == (Multiplier(3, 20), ("default", "vip"))
    assert (plan.surfaces, plan.models) == (("chat", "responses"), ("gpt-5.4", "o9-*"))
    assert plan.proxy == "http://me:hush@127.0.0.1:3128"


def test_defaults():
    plan = read(
        '[[channel]]\nname = "a"\nplatform = "openai"\nmodels = []\nsurfaces = ["*", "chat"]'
    )
    expected = ("openai", ("*",), (), Multiplier(1, 1), (), "any", ("*",), "", ())
    assert expected == (
        *(plan.platform, plan.surfaces, plan.models, plan.multiplier, plan.capabilities),
        *(plan.client_policy, plan.groups, plan.proxy, plan.accounts),
    )
    assert plan.limits == LimitsPlan(0, 0, 0)
    assert plan.requires_telegram is False


def test_a_channel_can_be_for_users_of_telegram_alone():
    assert read(CHANNEL.replace("rpm = 600", "requires_telegram = true", 1)).requires_telegram


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('name = "main"', 'name = "auto"', 2, "not auto"),
        ('name = "main"', 'name = "a#b"', 2, "without blanks"),
        ('platform = "openai"', 'platform = "cohere"', 3, "openai, anthropic, gemini"),
        ('platform = "openai"', "", 1, "needs platform"),
        ('platform = "openai"', 'platform = "gemini"', 21, "OpenAI's shape only"),
        ('"chat", ', '"chats", ', 4, "surfaces may hold"),
        ('["chat", "responses"]', "[]", 4, "at least one"),
        ('"o9-*"', '"o*9"', 5, "wildcard"),
        ('"0.15"', '"0"', 6, "above 0"),
        ('"0.15"', '"101"', 6, "at most 100"),
        ('"0.15"', "0.15", 6, "decimal string"),
        ('["images"]', '["flying"]', 7, "capabilities may hold"),
        ('"any"', '"curl"', 8, "any, claude-code, codex"),
        ('"http://me:hush@127.0.0.1:3128"', '"ftp://x"', 10, "proxy"),
        ('"http://me:hush@127.0.0.1:3128"', '"http://169.254.169.254"', 10, "never dialled"),
        ("rpm = 600", "rpm = -1", 11, "rpm must be from 0"),
        ("tpm = 2000000", "tpm = false", 12, "whole number"),
        ("concurrency = 64", 'concurrency = "0"', 13, "whole number"),
        ("rpm = 60\ntpm = 1", "rpm = 10000001\ntpm = 1", 23, "rpm must be from 0 to 10000000"),
        ("tpm = 100000\n", "tpm = 0.5\n", 24, "whole number"),
        ("concurrency = 4\n", "concurrency = 1000001\n", 25, "concurrency must be from 0"),
        ('name = "second"', 'name = "primary"', 1, "account primary is named twice"),
        ('base_url = "http://127.0.0.1:9000/"', "", 15, "needs base_url"),
        ("http://127.0.0.1:9000/", "http://x/v1", 17, "without /v1"),
        ("http://127.0.0.1:9000/", "http://x/v1/", 17, "without /v1"),
        ("http://127.0.0.1:9000/", "http://x/v1beta", 17, "without /v1"),
        ("http://127.0.0.1:9000/", "gopher://x", 17, "http or https"),
        ("http://127.0.0.1:9000/", "http://u:p@x", 17, "credentials"),
        ("http://127.0.0.1:9000/", "http://x?a=1", 17, "query"),
        ("http://127.0.0.1:9000/", "http://", 17, "host"),
        ("http://127.0.0.1:9000/", "http://169.254.169.254", 17, "never dialled"),
        ("http://127.0.0.1:9000/", "http://[fe80::1]", 17, "never dialled"),
        ("http://127.0.0.1:9000/", "http://[fd00:ec2::254]", 17, "never dialled"),
        ("http://127.0.0.1:9000/", "http://metadata.google.internal", 17, "never dialled"),
        ("http://127.0.0.1:9000/", "http://Metadata.Google.Internal.", 17, "never dialled"),
        ('secret = "upstream-key"', "", 15, "either secret or secret_env"),
        ('secret = "upstream-key"', 'secret = "a"\nsecret_env = "B"', 15, "either secret or"),
        ('secret = "upstream-key"', 'secret = "ключ"', 18, "printable ASCII"),
        ('secret = "upstream-key"', 'secret = "a\\nb"', 18, "printable"),
        ('secret = "upstream-key"', "secret = 1", 18, "string"),
        ('"SECOND_KEY"', '"NO_SUCH"', 30, "not set"),
        ("weight = 10", "weight = 0", 19, "weight must be from 1"),
        ("priority = 1", "priority = 1.5", 20, "whole number"),
        ("compatible = true", "compatible = 1", 21, "true or false"),
        ('cost = "0.5"', 'cost = "-1"', 22, "cost"),
        ("rpm = 600", 'requires_telegram = "yes"', 11, "true or false"),
        ("weight = 10", "wait = 10", 19, "did you mean weight?"),
    ],
)
def test_a_wrong_field_says_line_and_reason(old: str, new: str, line: int, reason: str):
    assert old in CHANNEL
    with pytest.raises(FileError) as caught:
        read(CHANNEL.replace(old, new, 1))
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value
    assert "upstream-key" not in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "http://localhost",
        "http://10.1.1.1",
        "http://[::1]",
        "http://2130706433",
    ],
)
def test_private_addresses_need_the_switch(url: str):
    text = CHANNEL.replace("http://127.0.0.1:9000/", url).replace(
        "http://me:hush@127.0.0.1:3128", ""
    )
    assert read(text).accounts[0].base_url == url
    with pytest.raises(FileError, match="line 17: base_url: loopback"):
        read(text, "")


@pytest.mark.parametrize("platform", ["openai", "anthropic", "gemini"])
def test_every_platform_can_be_named(platform: str):
    plan = read(f'[[channel]]\nname = "a"\nplatform = "{platform}"\nmodels = []')
    assert plan.platform == platform


@pytest.mark.parametrize("policy", ["any", "claude-code", "codex"])
def test_every_client_policy_is_honoured(policy: str):
    assert read(CHANNEL.replace('"any"', f'"{policy}"')).client_policy == policy
