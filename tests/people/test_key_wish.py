"""Which wishes of a key are granted, field by field."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.limit_fields import CONCURRENCY_MAX, RPM_MAX, TPM_MAX
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Channel, Model, Site, Snapshot
from tollbridge.core.errors import Surface
from tollbridge.core.money import MAX_AMOUNT, Multiplier
from tollbridge.people.key_wish import (
    IPS_MAX,
    MODELS_MAX,
    KeyWish,
    choices_of,
    columns_of,
    offer_faults,
    own_faults,
)

FINE = KeyWish("k", None, 1, 1, "day", 11, ("10.0.0.0/8",), (), 1, 1, 1)


def channel(identity: int, name: str, groups: str, models: set[str]) -> Channel:
    return Channel(
        id=identity,
        name=name,
        platform="openai",
        surfaces=frozenset(Surface),
        models=frozenset(models),
        multiplier=Multiplier(1, 1),
        capabilities=frozenset(),
        client_policy="any",
        groups=frozenset({groups}),
        enabled=name != "closed",
        accounts=(),
    )


PRICE = Price(1, "p", Rates.filled({"input": 1, "output": 1}))
SNAPSHOT = Snapshot.build(
    1,
    Site(),
    [
        channel(1, "open", "*", {"a"}),
        channel(2, "vip", "vip", {"b"}),
        channel(3, "closed", "*", {"a"}),
        channel(4, "also", "*", {"free"}),
    ],
    [Model(1, "a", 9, 9, PRICE), Model(2, "b", 9, 9, PRICE), Model(3, "free", 9, 9, None)],
)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "   "}),
        ("name", {"name": " k"}),
        ("name", {"name": "#1"}),
        ("name", {"name": "n" * 65}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "taken"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": -1}),
        ("limit", {"limit": MAX_AMOUNT + 1}),
        ("budget", {"budget": 0}),
        ("budget", {"budget": MAX_AMOUNT + 1}),
        ("budget_period", {"budget_period": None}),
        ("budget_period", {"budget_period": "year"}),
        ("budget_period", {"budget": None}),
        ("expires", {"expires_ms": 10}),
        ("ips", {"ips": ("home",)}),
        ("ips", {"ips": ("10.0.0.0/33",)}),
        ("ips", {"ips": tuple(f"10.0.0.{n}" for n in range(IPS_MAX + 1))}),
        ("rpm", {"rpm": -1}),
        ("rpm", {"rpm": RPM_MAX + 1}),
        ("tpm", {"tpm": TPM_MAX + 1}),
        ("concurrency", {"concurrency": CONCURRENCY_MAX + 1}),
    ],
)
def test_one_fault_has_its_field(field: str, changes: dict[str, Any]) -> None:
    assert list(own_faults(FINE, {"taken"}, 10)) == []
    assert [name for name, _ in own_faults(replace(FINE, **changes), {"taken"}, 10)] == [field]


@pytest.mark.parametrize(
    ("channel_id", "models", "group", "faults"),
    [
        (None, (), "default", set()),
        (1, ("a",), "default", set()),
        (1, ("b",), "default", {"models"}),
        (2, (), "default", {"channel"}),
        (2, ("b",), "vip", set()),
        (3, (), "default", {"channel"}),
        (9, ("a",), "default", {"channel"}),
        (None, ("a",), "default", set()),
        (None, ("b",), "default", {"models"}),
        (None, ("a", "b"), "vip", set()),
        # Without a price nothing is sold.
        (4, ("free",), "default", {"models"}),
        (None, tuple(map(str, range(MODELS_MAX + 1))), "vip", {"models"}),
    ],
)
def test_what_is_offered_to_a_group_can_be_chosen(
    channel_id: int | None, models: tuple[str, ...], group: str, faults: set[str]
) -> None:
    wish = KeyWish("k", channel_id, models=models)
    assert set(offer_faults(wish, None, SNAPSHOT, group)) == faults
    # What was there before stays, unless it is moved.
    assert len(models) > MODELS_MAX or not offer_faults(wish, wish, SNAPSHOT, group)


def test_models_are_the_new_channels() -> None:
    before = KeyWish("k", 1, models=("a",))
    assert set(offer_faults(replace(before, channel_id=4), before, SNAPSHOT, "default")) == {
        "models"
    }


def test_channels_are_offered_by_name() -> None:
    assert [one.name for one in choices_of(SNAPSHOT, "vip")] == ["also", "open", "vip"]
    assert [one.name for one in choices_of(SNAPSHOT, "default")] == ["also", "open"]


@given(texts=st.lists(st.ip_addresses().map(str), max_size=5))
def test_addresses_are_written_one_way(texts: list[str]) -> None:
    once = columns_of(KeyWish("k", ips=tuple(texts)))["ips"]
    assert columns_of(KeyWish("k", ips=(*reversed(texts), *texts)))["ips"] == once
