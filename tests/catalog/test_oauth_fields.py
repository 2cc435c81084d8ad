"""The twin of catalog/oauth_fields.py: what a file may say of signing in, and where it is wrong."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.oauth_fields import OAuthError, check_oauth
from tollbridge.catalog.plan import OAuthPlan

TABLE = """\
[channel.account.oauth]
token_url = "https://vendor.example/oauth/token"
client_id = "client"
client_secret = "hush"
scope = "a b"
style = "json"
refresh_token = "CANARY"
access_token = "CANARY-2"
expires = 2030-01-31T00:00:00Z
"""
VARIABLES = {**ENVIRON, "REFRESH": "from-there", "CLIENT": "client-there"}


def oauth(table: str = TABLE, site: str = SITE, secret: str = "") -> OAuthPlan:
    channel = CHANNEL.replace('secret = "upstream-key"\n', secret)
    first, mark, rest = channel.partition('\n[[channel.account]]\nname = "second"')
    [main] = parse_file(f"{site}{first}\n{table}{mark}{rest}", VARIABLES).channels
    assert main.accounts[0].secret == ""
    assert main.accounts[1].oauth is None
    plan = main.accounts[0].oauth
    assert plan is not None
    return plan


def refused(table: str, **values) -> tuple[int, str]:
    with pytest.raises(FileError) as caught:
        oauth(table, **values)
    assert "CANARY" not in str(caught.value)
    first = f"{SITE}{CHANNEL}".split("\n").index('name = "second"') - 1
    return caught.value.line - first, caught.value.reason


def test_all_of_it_is_read():
    assert oauth() == OAuthPlan(
        token_url="https://vendor.example/oauth/token",
        client_id="client",
        refresh_token="CANARY",
        client_secret="hush",
        scope="a b",
        style="json",
        access_token="CANARY-2",
        expires_ms=1_896_048_000_000,
    )
    assert "CANARY" not in repr(oauth()) and "hush" not in repr(oauth())


def test_an_inline_table_and_variables_do_as_well():
    plan = oauth(
        'oauth = {token_url = "https://v.example/t", refresh_token_env = "REFRESH",'
        ' client_secret_env = "CLIENT"}'
    )
    assert plan == OAuthPlan("https://v.example/t", "", "from-there", "client-there")
    assert (plan.style, plan.access_token, plan.expires_ms) == ("form", "", 0)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('token_url = "https://vendor.example/oauth/token"\n', "", 0, "oauth needs token_url"),
        ('"https://vendor.example/oauth/token"', '"ftp://x"', 1, "the scheme must be http"),
        ('"https://vendor.example/oauth/token"', '"https://x/?a=b"', 1, "makes no sense here"),
        ('"https://vendor.example/oauth/token"', '"http://169.254.169.254/"', 1, "never dialled"),
        ('style = "json"', 'style = "xml"', 5, "style must be one of form, json"),
        ('refresh_token = "CANARY"\n', "", 0, "oauth needs refresh_token"),
        ('refresh_token = "CANARY"', 'refresh_token_env = "NOBODY"', 6, "not set"),
        ('scope = "a b"', 'refresh_token_env = "REFRESH"', 4, "either refresh_token or"),
        ('scope = "a b"', 'client_secret_env = "CLIENT"', 4, "either client_secret or"),
        ('access_token = "CANARY-2"', 'access_token = "CANARY x"', 7, "printable ASCII"),
        ('access_token = "CANARY-2"\n', "", 0, "belong together"),
        ("expires = 2030-01-31T00:00:00Z\n", "", 7, "belong together"),
        ("2030-01-31T00:00:00Z", "2030-01-31", 8, "a date-time with an offset"),
        ("2030-01-31T00:00:00Z", "2030-01-31T00:00:00", 8, "a date-time with an offset"),
        ('scope = "a b"', 'scopes = "a b"', 4, "did you mean scope?"),
        ('client_id = "client"', "client_id = 7", 2, "a string"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old, new, line, reason):
    at, told = refused(TABLE.replace(old, new))
    assert (at, reason in told) == (line, True), told


def test_a_secret_and_a_sign_in_exclude_each_other():
    assert "not both" in refused(TABLE, secret='secret = "CANARY"\n')[1]
    assert "not both" in refused(TABLE, secret='secret_env = "SECOND_KEY"\n')[1]
    assert "or oauth" in refused("")[1]


def test_plain_and_private_endpoints_need_leave():
    for url in ("http://vendor.example/t", "https://10.0.0.1/t", "https://localhost/t"):
        plan = OAuthPlan(url, "", "r")
        check_oauth(plan, allow_private=True)
        with pytest.raises(OAuthError, match="allow_private_upstreams") as caught:
            check_oauth(plan, allow_private=False)
        assert caught.value.field == "token_url"
    check_oauth(OAuthPlan("https://vendor.example/t", "", "r"), allow_private=False)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (OAuthPlan("https://v.example", "", ""), "refresh_token"),
        (OAuthPlan("https://v.example", "", "a\nb"), "refresh_token"),
        (OAuthPlan("https://v.example", " c", "r"), "client_id"),
        (OAuthPlan("https://v.example", "", "r" * 16_385), "refresh_token"),
        (OAuthPlan("https://v.example", "", "r", style="x"), "style"),
        (OAuthPlan("https://v.example", "", "r", access_token="é", expires_ms=1), "access_token"),
    ],
)
def test_the_same_is_refused_of_other_ways_in(plan, field):
    with pytest.raises(OAuthError) as caught:
        check_oauth(plan, allow_private=True)
    assert caught.value.field == field
