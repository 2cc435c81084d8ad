"""How accounts of a channel are told in words."""

from typing import Any, cast

from sqlalchemy import RowMapping

from tollbridge.backoffice.account_states import (
    STATES,
    TROUBLES,
    Staff,
    hosts_of,
    staff_by_channel,
    word_of,
)
from tollbridge.relay.effects import Trouble
from tollbridge.storage.account_troubles import Shown


def row(account_id: int, state: str, channel_id: int = 1) -> RowMapping:
    values: dict[str, Any] = {"id": account_id, "state": state, "channel_id": channel_id}
    return cast("RowMapping", values | {"base_url": "https://me:hush@api.example.com/x"})


LIMITED = Shown(1, "n", "", "rate_limited", "429", 1, 2)


def test_every_trouble_has_a_word() -> None:
    assert set(TROUBLES) == {trouble.value for trouble in Trouble}


def test_reasons_are_counted() -> None:
    rows = [
        row(1, "active"),
        row(2, "parked"),
        row(3, "parked"),
        row(4, "disabled"),
        row(5, "active", 2),
    ]
    found = staff_by_channel(rows, {2: [LIMITED], 3: [LIMITED]})
    assert found == {
        1: Staff(1, 4, (("Rate limited", 2), ("Disabled", 1))),
        2: Staff(1, 1, ()),
    }


def test_words() -> None:
    assert word_of("parked", ()) == "Parked" and word_of("parked", [LIMITED]) == "Rate limited"
    assert word_of("no_credential", [LIMITED]) == "No credential"
    assert set(STATES) == {"active", "parked", "disabled", "no_credential"}


def test_hosts_have_no_credentials() -> None:
    assert hosts_of([row(1, "active")]) == {1: "api.example.com"}
