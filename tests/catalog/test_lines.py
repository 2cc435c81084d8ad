"""Proof that tables and keys are found on their lines, whatever the values look like."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.lines import Lines

TEXT = '''\
top = 1
[site]
"quoted" = "[[not.a.table]]"
[[channel]]
name = "a" # [[channel]]
models = [
  "x", # ]
  "name = 1",
]
note = """
[[channel]]
name = 1
"""
[[channel.account]]
base_url = \'\'\'
[x]\'\'\'
weight = 1
[[channel.account]]
sub.name = 'it''
[[channel]]
name = "b\\"[["
[[channel.account]]
name = "c"
'''


def test_each_thing_is_on_its_line():
    lines = Lines(TEXT)
    expected = {
        ("top",): 1,
        ("site",): 2,
        ("site", "quoted"): 3,
        ("channel", 0): 4,
        ("channel", 0, "name"): 5,
        ("channel", 0, "models"): 6,
        ("channel", 0, "note"): 10,
        ("channel", 0, "account", 0): 14,
        ("channel", 0, "account", 0, "base_url"): 15,
        ("channel", 0, "account", 0, "weight"): 17,
        ("channel", 0, "account", 1): 18,
        ("channel", 0, "account", 1, "sub", "name"): 19,
        ("channel", 1): 20,
        ("channel", 1, "name"): 21,
        ("channel", 1, "account", 0, "name"): 23,
    }
    assert {path: lines.of(path) for path in expected} == expected


def test_the_nearest_known_place_stands_in():
    lines = Lines("a = 1\n[[tiers]]\nabove = 1\n")
    assert lines.of(("tiers", 0, "missing")) == 2
    assert lines.of(("nowhere",)) == 1


VALUES = st.one_of(
    st.text(st.characters(categories=("L", "N", "P", "S"), codec="ascii"), max_size=8).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.integers().map(str),
    st.just('[\n "]",\n 1 # ]\n]'),
    st.just('"""\n[[a]]\nk = 1\n"""'),
    st.just("{x = '[', y = [1]}"),
)


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_keys_after_any_values_are_found(values: list[str]):
    text = "".join(f"[[t]]\nk{index} = {value}\n" for index, value in enumerate(values))
    assert len(tomllib.loads(text)["t"]) == len(values)
    lines, rows = Lines(text), text.split("\n")
    for index in range(len(values)):
        assert rows[lines.of(("t", index, f"k{index}")) - 1].startswith(f"k{index} = ")
