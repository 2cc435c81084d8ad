"""Recomputes a receipt of GET /v1/receipts/{tid}, a file or stdin, from what it says itself."""

import json
import sys
from fractions import Fraction
from math import ceil, prod
from pathlib import Path

receipt = json.loads(Path(sys.argv[1]).read_text("utf-8") if sys.argv[1:] else sys.stdin.read())
pieces = {"per_million_tokens": 1_000_000, "each": 1}
sums = [
    (line["item"], line["amount"], line["count"] * Fraction(line["rate"]) / pieces[line["unit"]])
    for line in receipt["lines"]
]
subtotal = sum((due for *_, due in sums), Fraction(0))
multiplier = prod(Fraction(part["factor"]) for part in receipt["multipliers"])
cost, listed = (Fraction(ceil(subtotal * by * 10**9), 10**9) for by in (multiplier, 1))
others = [(each["item"], Fraction(each["amount"])) for each in receipt["adjustments"]]
given_back = -sum(amount for item, amount in others if item == "given_back")
due = {"subtotal": subtotal, "multiplier": multiplier, "cost": cost, "given_back": given_back}
due["charge"] = cost + sum(amount for _, amount in others)
# An adjusted call's list price is not its counts'; it is no part of what the call costs.
if sums and all(item == "given_back" for item, _ in others):
    due["list_cost"] = listed
sums += [(name, receipt[name], amount) for name, amount in due.items()]
for what, said, amount in sums:
    print("ok   " if Fraction(said) == amount else "WRONG", f"{what}: {said}, due {amount}")
sys.exit(any(Fraction(said) != amount for _, said, amount in sums))
