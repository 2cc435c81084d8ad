"""Proof of which channels are open to a key and which models they list."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.peak import Peak
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Account, Channel, Model, Site, Snapshot, split_names
from tollbridge.catalog.visibility import cheapest, is_sold, listed_models, open_channels, seller
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier

NAMES = st.sampled_from(["a", "ab", "abc", "b", "free"])


def channel(
    identity: int, names: list[str], groups: tuple[str, ...] = ("*",), *, enabled: bool = True
) -> Channel:
    exact, wildcards = split_names(names)
    return Channel(
        id=identity,
        name=f"c{identity}",
        platform="openai",
        surfaces=frozenset({Surface.CHAT}),
        models=exact,
        multiplier=Multiplier(1, 1),
        capabilities=frozenset(),
        client_policy="any",
        groups=frozenset(groups),
        enabled=enabled,
        accounts=(),
        wildcards=wildcards,
    )


def model(name: str, *, priced: bool = True) -> Model:
    price = Price(1, name, Rates.filled({"input": 1, "output": 2}))
    return Model(hash(name), name, 1000, 100, price if priced else None)


def snapshot(*channels: Channel) -> Snapshot:
    models = [model("a"), model("ab*"), model("b"), model("free", priced=False)]
    return Snapshot.build(1, Site(), channels, models)


@pytest.mark.parametrize(
    ("channel_id", "group", "expected"),
    [
        (None, "default", [1]),
        (None, "vip", [1, 2]),
        (1, "default", [1]),
        # A key that was bound stays bound, whatever its user's group.
        (2, "default", [2]),
        (3, "default", []),
        (9, "default", []),
    ],
)
def test_open_channels(channel_id: int | None, group: str, expected: list[int]):
    view = snapshot(channel(1, []), channel(2, [], ("vip",)), channel(3, [], enabled=False))
    assert [one.id for one in open_channels(view, channel_id, group)] == expected


def test_models_are_listed_once_with_the_first_of_equal_channels():
    one, two = channel(1, ["b", "free"]), channel(2, ["a", "b", "ab*"])
    view = snapshot(one, two)
    assert listed_models(view, [one, two], frozenset()) == {"a": two, "b": one}
    assert list(listed_models(view, [two, one], frozenset())) == ["a", "b"]


def test_in_its_peak_hours_a_channel_is_dearer():
    morning = Peak(540, 600, frozenset(range(7)), "UTC", Multiplier(2, 1))
    even = replace(channel(1, ["a"]), multiplier=Multiplier(19, 10))
    peaky = replace(channel(2, ["a"]), multiplier=Multiplier(12, 10), peak=morning)
    nine, ten = 9 * 3_600_000, 10 * 3_600_000
    assert cheapest([even, peaky], nine) is even
    assert cheapest([even, peaky], ten) is peaky
    # A list does not follow the clock: it names the hours beside the price.
    assert cheapest([even, peaky]) is peaky
    discounted = replace(peaky, peak=replace(morning, factor=Multiplier(1, 2)))
    dear = replace(even, multiplier=Multiplier(1, 1))
    assert cheapest([dear, discounted], nine) is discounted
    assert cheapest([dear, discounted], ten) is dear


def test_the_cheapest_channel_that_has_somebody_to_ask_sells():
    somebody = Account(1, 1, "a", "openai", "", "", 1, 0, False, "", Multiplier(1, 1), False)
    dear = replace(channel(1, ["a", "b"]), multiplier=Multiplier(2, 1), accounts=(somebody,))
    dearer = replace(channel(2, ["a"]), multiplier=Multiplier(3, 1), accounts=(somebody,))
    empty = channel(3, ["a", "ab*"])
    view = snapshot(dearer, dear, empty)
    assert cheapest([dearer, dear, empty]) is dear
    assert cheapest([empty]) is empty
    assert listed_models(view, [dearer, dear, empty], frozenset()) == {"a": dear, "b": dear}
    assert seller(view, [dearer, dear, empty], "a") is dear
    assert seller(view, [dearer, dear, empty], "abc") is empty
    assert seller(view, [dearer, dear, empty], "free") is None


def test_a_list_of_the_keys_own():
    two = channel(2, ["a", "ab*", "free"])
    view = snapshot(two)
    assert listed_models(view, [two], frozenset({"abc", "b", "free", "ab*"})) == {"abc": two}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", True), ("abx", True), ("ab", True), ("ab*", False), ("b", False), ("free", False)],
)
def test_is_sold(name: str, expected: bool):
    two = channel(2, ["a", "ab*", "free", "gone"])
    assert is_sold(snapshot(two), two, name) is expected


@given(st.lists(NAMES), st.frozensets(NAMES))
def test_whatever_is_listed_is_sold_and_allowed(names: list[str], allowed: frozenset[str]):
    one = channel(1, names)
    view = snapshot(one)
    listed = listed_models(view, [one], allowed)
    assert all(is_sold(view, one, name) for name in listed)
    assert not allowed or listed.keys() <= allowed
