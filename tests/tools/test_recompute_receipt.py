"""The twin of tools/recompute_receipt.py: it agrees with every receipt, and with none that was touched."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.billing.price_strategies import multipliers, prices, usages
from tests.billing.priced_by_hand import BY_HAND, Case
from tests.billing.priced_calls import SCRIPT, factors, receipt, recomputed
from tests.billing.priced_calls import prices as written_prices
from tollbridge.billing.pricing import AmountTooLarge, costs, is_priced
from tollbridge.catalog.prices import Price
from tollbridge.core.money import Multiplier
from tollbridge.protocols.usage import Usage

PRICES = written_prices()
STATES = ("complete", "partial", "limited", "upstream_error", "empty", "refused", "reclaimed")
LINES = 30
MONEY = ("subtotal", "cost", "charge", "given_back")


def of(case: Case) -> dict[str, Any]:
    return receipt(case.usage, PRICES[case.model], *factors(case))


def test_it_is_short_and_needs_nothing() -> None:
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= LINES
    names = [line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert set(names) <= sys.stdlib_module_names


@pytest.mark.parametrize("by", ["file", "stdin"])
def test_it_reads_a_file_or_stdin(by: str, tmp_path: Path) -> None:
    good = of(next(case for case in BY_HAND if case.group and case.peak))
    for fields, status in ((good, 0), ({**good, "charge": "0.01"}, 1)):
        file = tmp_path / "receipt.json"
        file.write_text(json.dumps(fields))
        words = [str(file)] if by == "file" else []
        done = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), *words],
            input=None if by == "file" else json.dumps(fields),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (status, "")
        assert ("WRONG charge: 0.01" in done.stdout) is bool(status)
        assert done.stdout.count("WRONG") == status


@st.composite
def receipts(draw: st.DrawFn) -> dict[str, Any]:
    """Receipts of all sorts of calls: paid in full, in part, not at all, given back."""
    usage, price, multiplier = draw(usages), draw(prices), draw(multipliers)
    assume(is_priced(price))
    try:
        due, _ = costs(usage, price, multiplier)
    except AmountTooLarge:
        assume(condition=False)
    charged = draw(st.one_of(st.just(due), st.just(0), st.integers(0, 2 * due + 5)))
    loss = draw(st.one_of(st.just(0), st.integers(0, 10**6)))
    given_back = draw(st.one_of(st.just(0), st.just(charged), st.integers(0, charged)))
    return receipt(
        usage,
        price,
        multiplier,
        draw(st.none() | st.just(_parts(multiplier))),
        charge=charged,
        loss=loss,
        reversed=given_back,
        end_state=draw(st.sampled_from(STATES)),
        flags=draw(st.sampled_from(["", "estimated", "clamped"])),
    )


def _parts(multiplier: Multiplier) -> str:
    """Return a product that makes the multiplier: of three factors, of which two undo each other."""
    parts = [["channel", multiplier.num, multiplier.den], ["group", 9, 10], ["peak", 10, 9]]
    return json.dumps(parts)


@given(receipts())
@settings(max_examples=150)
def test_it_agrees_with_every_receipt(fields: dict[str, Any]) -> None:
    status, words = recomputed(fields)
    assert status == 0, words


@given(receipts(), st.data())
@settings(max_examples=150)
def test_it_notices_a_changed_digit(fields: dict[str, Any], data: st.DataObject) -> None:
    paths = list(_money(fields))
    path = data.draw(st.sampled_from(paths))
    touched = deepcopy(fields)
    inner: Any = touched
    for step in path[:-1]:
        inner = inner[step]
    text = inner[path[-1]]
    places = [place for place, sign in enumerate(text) if sign.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != text[place]]))
    inner[path[-1]] = text[:place] + digit + text[place + 1 :]
    if "/" in text:
        assume(not inner[path[-1]].endswith("/0"))
    status, words = recomputed(touched)
    assert status == 1, words


@pytest.mark.parametrize("case", BY_HAND[::12], ids=lambda case: f"{case.model}-{case.dollars}")
def test_it_notices_every_digit_of_a_case(case: Case) -> None:
    fields = of(case)
    for path in _money(fields):
        for place in range(len(_at(fields, path))):
            touched = deepcopy(fields)
            text = _at(touched, path)
            if not text[place].isdigit():
                continue
            other = str((int(text[place]) + 1) % 10)
            _at(touched, path[:-1])[path[-1]] = text[:place] + other + text[place + 1 :]
            assert recomputed(touched)[0] == 1, (path, text, other)


def _at(fields: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        fields = fields[step]
    return fields


def _money(fields: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield where a receipt has money or a factor of it."""
    for number in range(len(fields["lines"])):
        yield from (("lines", number, "rate"), ("lines", number, "amount"))
    for number in range(len(fields["adjustments"])):
        yield ("adjustments", number, "amount")
    yield from ((name,) for name in MONEY)
    yield ("multiplier",)
    if fields["lines"] and not fields["adjustments"]:
        yield ("list_cost",)


def test_a_list_cost_that_is_not_of_the_counts_is_let_be() -> None:
    usage = Usage(input=1_000, output=500)
    price: Price = PRICES["plain"]
    kept = receipt(usage, price, charge=5, list_cost=77)
    assert recomputed(kept)[0] == 0
    assert recomputed(receipt(usage, price, list_cost=77))[0] == 1
