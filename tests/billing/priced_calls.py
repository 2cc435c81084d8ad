"""Owns the way from a priced case to its receipt: the operator's prices, real factors, a usage row."""

import io
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from json import dumps
from pathlib import Path
from typing import Any

from tests.billing.priced_by_hand import Case
from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.billing.pricing import costs
from tollbridge.billing.receipt_fields import receipt_fields
from tollbridge.billing.receipts import receipt_of
from tollbridge.catalog.factors import multiplier_of
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.plan import PricePlan
from tollbridge.catalog.price_rows import price_columns, price_of
from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Channel, Site, Snapshot
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_items import USAGE_COLUMNS

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "recompute_receipt.py"
NOON = 1_800_014_400_000
"""A moment of 2027-01-15, 12:00 UTC."""
ONE = Multiplier(1, 1)


def prices() -> dict[str, Price]:
    """Return the models of priced_models.toml with their prices, through the stored form."""
    text = Path(__file__).with_name("priced_models.toml").read_text("utf-8")
    plans = parse_file(text, {}).models
    return {plan.name: stored(plan.price) for plan in plans if plan.price is not None}


def stored(plan: PricePlan) -> Price:
    """Return the price that a plan comes to once it has been in the price table."""
    row: Any = {"id": 7, **price_columns(plan)}
    return price_of(row, "a-model")


def factors(case: Case) -> tuple[Multiplier, str | None]:
    """Return the multiplier of a case and what it is made of, as the gate works them out."""
    peak = Multiplier.parse(case.peak) if case.peak else None
    channel = Channel(
        id=1,
        name="main",
        platform="openai",
        surfaces=frozenset({Surface.CHAT}),
        models=frozenset({case.model}),
        multiplier=Multiplier.parse(case.channel),
        capabilities=frozenset(),
        client_policy="any",
        groups=frozenset(),
        enabled=True,
        accounts=(),
        peak=Peak(11 * 60, 13 * 60, frozenset(range(7)), "UTC", peak) if peak else None,
    )
    groups = {"staff": Multiplier.parse(case.group)} if case.group else {}
    snapshot = Snapshot.build(1, Site(), [channel], [], groups, None)
    return multiplier_of(snapshot, channel, "staff", NOON)


def receipt(
    usage: Usage,
    price: Price,
    multiplier: Multiplier = ONE,
    parts: str | None = None,
    **other: Any,
) -> dict[str, Any]:
    """Return the receipt of a call that was charged in full, or as `other` columns say."""
    charge, list_cost = costs(usage, price.served(usage.tier), multiplier)
    bill = Bill("0" * 32, NOON, 2, 3, "key", 4, 5, "main", 6, "asked", "sent", "chat", "openai",
                False, 7, multiplier.num, multiplier.den, "curl", factors=parts)  # fmt: skip
    ending = Ending("complete", usage=usage, list_cost=list_cost)
    columns = dict(zip(USAGE_COLUMNS, (*usage_row(bill, ending), charge, 0), strict=True))
    row: Any = {**columns, **other}
    return receipt_fields(receipt_of(row, price))


def recomputed(fields: dict[str, Any]) -> tuple[int, str]:
    """Return exit status and words of the script about a receipt."""
    said = io.StringIO()
    with _stdin(dumps(fields)), redirect_stdout(said):
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    raise AssertionError("the script did not end by itself")


@contextmanager
def _stdin(text: str) -> Iterator[None]:
    before, words = (sys.stdin, sys.argv), io.StringIO(text)
    sys.stdin, sys.argv = words, [str(SCRIPT)]
    try:
        yield
    finally:
        sys.stdin, sys.argv = before
