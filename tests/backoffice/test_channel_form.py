"""Property: a channel shown in fields and read back is the same channel."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.backoffice import channel_form, typed
from tollbridge.catalog.channel_editing import read_table
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.peak import DAYS
from tollbridge.web.forms import Form, parse_form

_WORD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="*#/\x7f"),
                min_size=1, max_size=12).filter(lambda text: text.isprintable() and not text.isspace())  # fmt: skip
_SENT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*"),
                min_size=1, max_size=12)  # fmt: skip
_GROUP = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).map(str.strip)
TABLES = st.fixed_dictionaries(
    {
        "name": _WORD.filter(lambda name: name != "auto"),
        "platform": st.just("openai"),
        "surfaces": st.lists(st.sampled_from(channel_form.SURFACES[1:]), min_size=1, unique=True),
        "models": st.lists(_WORD, unique=True, max_size=4),
        "multiplier": st.decimals("0.001", "100", places=3).map(str),
        "capabilities": st.sampled_from([[], ["images"]]),
        "client_policy": st.sampled_from(["any", "codex"]),
        "groups": st.lists(_GROUP.filter(bool), unique=True, max_size=3),
        "mapping": st.dictionaries(_WORD, _SENT, max_size=3),
        "requires_telegram": st.booleans(),
        "rpm": st.integers(0, 10_000_000),
        "tpm": st.integers(0, 10**12),
        "concurrency": st.integers(0, 1_000_000),
    },
    optional={
        "peak": st.fixed_dictionaries(
            {
                "from": st.just("09:00"),
                "to": st.sampled_from(["08:59", "24:00"]),
                "zone": st.sampled_from(["UTC", "Asia/Shanghai"]),
                "days": st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
                "factor": st.sampled_from(["1.5", "0.001"]),
            }
        )
    },
)


def posted(values: dict[str, Any]) -> Form:
    """Return what a browser sends of what the fields show."""
    ticks = {
        name: "1" if value else None for name, value in values.items() if value in (True, False)
    }
    sent = {
        **values,
        **{name: tick for name, tick in ticks.items() if isinstance(values[name], bool)},
    }
    body = urlencode({name: value for name, value in sent.items() if value is not None}, doseq=True)
    return parse_form(body.encode())


@given(TABLES)
def test_what_is_shown_and_sent_back_is_the_same_channel(table: dict[str, Any]) -> None:
    plan = read_table(table, allow_private=False)
    form = posted(channel_form.shown(table))
    assert read_table(channel_form.table_of(form), allow_private=False) == plan
    assert form.ok and channel_form.kept(form) == {"proxy"}


def test_a_new_channels_form_is_one_that_can_be_sent_but_for_its_name() -> None:
    form = posted(channel_form.shown(channel_form.blank()))
    try:
        read_table(channel_form.table_of(form), allow_private=False)
    except FileError as error:
        typed.blame(form, error, channel_form.FIELDS)
    assert list(form.errors) == [typed.WHOLE] and "name" in form.errors[typed.WHOLE]


def test_a_proxy_is_kept_changed_or_taken_away_and_never_shown_again() -> None:
    assert channel_form.kept(posted({"proxy": "http://9.9.9.9:1"})) == frozenset()
    assert channel_form.kept(posted({"proxy": "", "no_proxy": "1"})) == frozenset()
    assert "proxy" not in channel_form.typed_values(posted({"proxy": "CANARY"}))
