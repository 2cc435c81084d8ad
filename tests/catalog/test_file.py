"""Proof that a whole file becomes its plan, and that what is wrong with a file as a whole is named."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, MODEL, SITE, USER, WHOLE
from tollbridge.catalog.file import FileError, Known, Plan, parse_file, unpriced
from tollbridge.catalog.plan import SitePlan
from tollbridge.core.errors import Profile


def test_a_whole_file_becomes_its_plan():
    plan = parse_file(WHOLE, ENVIRON)
    assert plan.site == SitePlan(Profile.LEGACY, ("10.0.0.0/8", "192.0.2.1/32"), True)
    assert [model.name for model in plan.models] == ["gpt-5.4"]
    assert [account.name for account in plan.channels[0].accounts] == ["primary", "second"]
    assert [key.name for key in plan.users[0].keys] == ["demo", "other"]


def test_an_empty_file_asks_for_nothing():
    assert parse_file("", {}) == Plan(None, (), (), ())


def test_a_plan_hides_its_secrets():
    shown = repr(parse_file(WHOLE, ENVIRON))
    for secret in ("upstream-key", "from-the-env", "hush", "long enough", "sk-0123"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[site\n", 1, "not valid TOML"),
        ("a = 1\nb = [1,\n", 3, "not valid TOML"),
        ("\n[sight]\n", 2, "did you mean site?"),
        ("site = 1", 1, "[site] must be a table"),
        ("[model]\nname = 'x'", 1, "[[model]]"),
        ('[site]\nerror_profile = "loud"', 2, "strict, legacy, status402, plain"),
        ('[site]\ntrusted_proxies = ["10.0.0.1/8"]', 2, "host bits"),
        ("[site]\ntrusted_proxies = [1]", 2, "strings"),
        ('[site]\nallow_private_upstreams = "yes"', 2, "true or false"),
        (MODEL + MODEL, 15, "first on line 1"),
        (SITE + CHANNEL + CHANNEL, 36, "channel main is named twice"),
        (WHOLE + USER.replace("Demo@", "demo@"), 80, "user demo@example.com is named twice"),
        (
            WHOLE + USER.replace("Demo@", "x@").replace("5.00", "1"),
            90,
            "secret is also that of line 63",
        ),
    ],
)
def test_a_wrong_file_says_line_and_reason(text: str, line: int, reason: str):
    with pytest.raises(FileError) as caught:
        parse_file(text, ENVIRON)
    assert reason in caught.value.reason
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


def test_a_file_without_site_leans_on_what_is_stored():
    known = Known(frozenset({"main"}), allow_private_upstreams=True)
    assert parse_file(CHANNEL + USER, ENVIRON, known).site is None
    with pytest.raises(FileError, match="allow_private_upstreams"):
        parse_file(CHANNEL, ENVIRON)


def test_a_key_may_be_bound_to_a_channel_that_is_only_stored():
    assert parse_file(USER, {}, Known(frozenset({"main"}))).users[0].keys[0].channel == "main"
    with pytest.raises(FileError, match="line 14: channel main is neither"):
        parse_file(USER, {})


@pytest.mark.parametrize(
    ("models", "stored", "complaints"),
    [
        (["gpt-5.4"], {}, 0),
        (["other"], {}, 1),
        (["other"], {"other": True}, 0),
        (["other"], {"other": False}, 1),
        (["other"], {"oth*": True}, 0),
        (["other"], {"oth*": True, "othe*": False}, 1),
        (["gpt-*"], {}, 0),
        (["zz*"], {}, 1),
    ],
)
def test_unpriced_models_are_noted(models: list[str], stored: dict[str, bool], complaints: int):
    text = SITE + MODEL + CHANNEL.replace('["gpt-5.4", "o9-*"]', str(models))
    assert len(unpriced(parse_file(text, ENVIRON), stored)) == complaints
