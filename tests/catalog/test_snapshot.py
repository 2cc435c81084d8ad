"""Proof of the snapshot's look-ups: exact before wildcard, the longest wildcard, nearest names."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Account, Channel, Model, Site, Snapshot, split_names
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier

ONE = Multiplier(1, 1)
NAMES = st.text("ab-", max_size=5)
LISTED = st.builds(lambda name, star: name + star, NAMES, st.sampled_from(["", "*"]))


def model(name: str, *, priced: bool = True) -> Model:
    price = Price(1, name, Rates.filled({"input": 1, "output": 2}))
    return Model(hash(name), name, 1000, 100, price if priced else None)


def channel(identity: int, names: list[str]) -> Channel:
    exact, wildcards = split_names(names)
    return Channel(
        id=identity,
        name=f"c{identity}",
        platform="openai",
        surfaces=frozenset({Surface.CHAT}),
        models=exact,
        multiplier=ONE,
        capabilities=frozenset(),
        client_policy="any",
        groups=frozenset({"*"}),
        enabled=True,
        accounts=(),
        wildcards=wildcards,
    )


def snapshot(names: list[str], channels: tuple[Channel, ...] = ()) -> Snapshot:
    return Snapshot.build(1, Site(), channels, [model(name) for name in names])


def longest_match(listed: set[str], asked: str) -> str | None:
    if asked in listed:
        return asked
    fitting = [name for name in listed if name.endswith("*") and asked.startswith(name[:-1])]
    return max(fitting, key=len, default=None)


@given(st.sets(LISTED, max_size=8), NAMES)
def test_the_exact_name_else_the_longest_wildcard_is_sold(listed: set[str], asked: str):
    found = snapshot(sorted(listed)).model(asked)
    assert (found.name if found else None) == longest_match(listed, asked)


@given(st.sets(LISTED, max_size=8), NAMES)
def test_a_channel_serves_what_its_list_matches(listed: set[str], asked: str):
    assert channel(1, sorted(listed)).serves(asked) == (longest_match(listed, asked) is not None)


@given(st.sets(LISTED, max_size=8))
def test_wildcards_come_longest_first(listed: set[str]):
    exact, wildcards = split_names(listed)
    assert {*exact, *(f"{prefix}*" for prefix in wildcards)} == listed
    assert [len(prefix) for prefix in wildcards] == sorted(map(len, wildcards), reverse=True)


def test_visible_names_are_exact_served_and_priced():
    listed = channel(1, ["gpt-*", "o9-mini", "free"])
    narrow = channel(2, ["o9-mini"])
    models = [model("gpt-5"), model("o9-*"), model("claude"), model("free", priced=False)]
    view = Snapshot.build(3, Site(), [listed, narrow], models)
    assert view.visible == {1: ("gpt-5", "o9-mini"), 2: ("o9-mini",)}


def test_channels_are_found_by_id_and_by_name():
    view = snapshot([], (channel(5, []), channel(6, [])))
    assert view.channels[5] is view.channels_by_name["c5"]
    assert set(view.channels) == {5, 6}


def test_names_are_case_sensitive_but_the_nearest_is_not():
    view = snapshot(["gpt-5.4", "gpt-5.4-mini", "claude-sonnet", "gpt-5.4-nano", "gpt-5.3"])
    assert view.model("GPT-5.4") is None
    nearest = view.nearest("GPT-5.4", view.models)
    assert nearest[0] == "gpt-5.4"
    assert len(nearest) == 3
    assert "claude-sonnet" not in nearest
    assert view.nearest("zzzz", view.models) == []
    assert view.nearest("", view.models) == []


@given(st.text(max_size=30), st.sets(st.text(min_size=1, max_size=12), max_size=12))
def test_nearest_returns_at_most_three_of_the_given(name: str, among: set[str]):
    nearest = snapshot([]).nearest(name, among)
    assert len(nearest) == len(set(nearest)) <= 3
    assert set(nearest) <= among


def test_nothing_of_it_can_be_changed():
    view = snapshot(["m"], (channel(1, ["m"]),))
    with pytest.raises(TypeError):
        view.channels[2] = channel(2, [])  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.version = 2  # type: ignore[misc]


def test_an_account_hides_its_secret():
    account = Account(
        1, 1, "a", "openai", "https://x", "hush", 1, 0, False, "http://u:hush@p:1", ONE, True
    )
    assert "hush" not in repr(account)
