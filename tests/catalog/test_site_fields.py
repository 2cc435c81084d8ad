"""The twin of catalog/site_fields.py: a value that is taken can be stored, read back and shown."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.site_fields import BY_NAME, SITE_FIELDS, checked
from tollbridge.catalog.site_rows import change_site, read_site, site_values
from tollbridge.catalog.snapshot import Site
from tollbridge.core.money import parse_usd
from tollbridge.storage.unit_of_work import reading, writing

FIELDS = st.sampled_from(SITE_FIELDS)
WORDS = st.sampled_from(
    [
        *(
            "1.00",
            "0",
            "-1",
            "fold",
            "open",
            "strict",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "a.test",
            " ",
            "\x00",
        ),
        *("\ud800", "a\nb", "\r", "\u202e", "x" * 65, "x" * 321, "1e3", "\u0661", "$1"),
    ]
)
TEXTS = WORDS | st.text(st.characters())
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
)


@given(FIELDS, ANY | TEXTS | st.lists(TEXTS, max_size=4))
def test_a_value_is_taken_or_refused_with_a_reason(field, value):
    try:
        stored = checked(field, value)
    except ValueError:
        return
    # What was taken: the same once more, good in a database and on a page.
    assert checked(field, stored) == stored
    text = json.dumps(stored, ensure_ascii=False)
    assert json.loads(text.encode()) == stored
    assert "\x00" not in str(stored)
    if field.kind == "list":
        assert all(entry.strip() and "\n" not in entry for entry in stored)
    elif field.kind == "usd":
        assert parse_usd(stored) >= 0
    elif field.kind == "choice":
        assert stored in field.options
    elif field.kind != "flag":
        assert len(stored) <= field.most


@given(FIELDS, st.text("abcdefgh", min_size=6))
def test_a_refusal_never_says_the_value(field, word):
    secret = f"\x00{word}"
    for value in (secret, [secret], {secret: 1}):
        with pytest.raises(ValueError, match=r".") as refused:
            checked(field, value)
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("name", "", "must not be empty"), ("name", "  ", "must not be empty"),
        ("name", "x" * 65, "at most 64"), ("name", "a\nb", "cannot be used"),
        ("name", "half a \ud83d", "cannot be used"), ("name", 5, "must be a text"),
        ("sign_up", "maybe", "must be one of open, invite, closed"),
        ("sign_up_bonus", "-1", "."), ("sign_up_bonus", "0.0000000001", "."),
        ("sign_up_bonus", 1, "must be a text"), ("terms", "x" * 100_001, "at most 100000"),
        ("email_allowed", ["a.test", " "], "an entry"), ("email_allowed", "a.test", "must be a list"),
        ("email_allowed", ["x" * 321], "an entry"), ("email_allowed", ["a"] * 1_001, "at most 1000"),
        ("trusted_proxies", ["10.0.0.1/8"], "host bits"), ("trusted_proxies", ["x"], "no network"),
        ("allow_private_upstreams", 1, "true or false"),
    ],
)  # fmt: skip
def test_what_is_refused(name, value, reason):
    with pytest.raises(ValueError, match=reason):
        checked(BY_NAME[name], value)


def test_what_is_taken():
    assert checked(BY_NAME["terms"], "# A\n\n\tb") == "# A\n\n\tb"
    assert checked(BY_NAME["email_blocked"], [" Spam.Test "]) == ["spam.test"]
    assert checked(BY_NAME["trusted_proxies"], ["10.0.0.0/8", "::1"]) == ["10.0.0.0/8", "::1"]


def test_every_setting_has_a_good_default_and_is_one_of_the_site():
    assert [*BY_NAME] == [field.name for field in SITE_FIELDS]
    assert {*BY_NAME} == {field.name for field in dataclasses.fields(Site)}
    for field in SITE_FIELDS:
        assert checked(field, field.default) == field.default, field.name
        assert field.about.endswith("."), field.name


def test_what_could_open_a_network_is_the_files_alone():
    only = {field.name for field in SITE_FIELDS if field.file_only}
    assert only == {"trusted_proxies", "allow_private_upstreams"}


async def test_settings_are_stored_and_read(engine):
    async with reading(engine) as connection:
        assert await site_values(connection) == {one.name: one.default for one in SITE_FIELDS}
        assert await read_site(connection) == Site()
    wanted = {
        "name": "Ünited 桥",
        "sign_up": "open",
        "sign_up_bonus": "2.50",
        "email_blocked": ["a.b"],
    }
    async with writing(engine) as connection:
        assert sorted(await change_site(connection, wanted)) == sorted(wanted)
        assert await change_site(connection, wanted) == []
        site = await read_site(connection)
    assert (site.name, site.sign_up, site.email_blocked) == ("Ünited 桥", "open", ("a.b",))
    assert site.sign_up_bonus == 2_500_000_000
