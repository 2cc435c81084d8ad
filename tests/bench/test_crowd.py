"""The crowd of a generated history: one user makes half of it, and every shape fits the tables."""

from collections import Counter

from bench.crowd import RARE_MODEL, Crowd
from tollbridge.storage.ledger_tables import usage


def test_one_user_makes_half_of_all_calls_and_one_key_three_tenths() -> None:
    crowd = Crowd()
    calls = [caller for caller, _ in crowd.hour(20_000)]
    assert sum(caller.user_id == crowd.heavy_id for caller in calls) == 10_000
    great = sum(caller is crowd.great for caller in calls)
    assert 5_700 < great < 6_300
    assert len({caller.user_id for caller in calls}) > 20


def test_the_great_key_never_asks_for_the_rare_model() -> None:
    crowd = Crowd()
    rare = {number for number, shape in enumerate(crowd.shapes) if shape.model == RARE_MODEL}
    assert not rare & {*crowd.great.shapes}
    assert all(sum(Counter(one.shapes)[number] for number in rare) == 1 for one in crowd.small)


def test_a_row_has_every_column() -> None:
    crowd = Crowd()
    for shape in crowd.shapes:
        assert len(crowd.great.head) + len(shape.tail) + 2 == len(usage.columns)


def test_the_same_seed_makes_the_same_crowd() -> None:
    one, two = Crowd(3), Crowd(3)
    assert one.shapes == two.shapes
    first, second = list(one.hour(50)), list(two.hour(50))
    assert [(who.key_id, what) for who, what in first] == [
        (who.key_id, what) for who, what in second
    ]
