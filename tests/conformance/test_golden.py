"""Small requests of each feature become exactly what was read and kept; and that is sound."""

import json

import pytest

from tests.conformance import asks, golden

FEATURES = [path.stem for path in golden.files()]


@pytest.mark.parametrize("feature", FEATURES)
def test_what_each_vendor_is_told(feature):
    cases = json.loads((golden.FOLDER / f"{feature}.json").read_text())
    for wire, case in cases.items():
        made = golden.told(wire, case["request"])
        assert made == case["told"], (feature, wire)
        # The order of fields is kept too: prompt caches of vendors depend on it.
        assert json.dumps(made) == json.dumps(case["told"]), (feature, wire)
        for other, answer in made.items():
            if "body" in answer:
                assert asks.complaints(other, answer["body"]) == [], (feature, wire, other)
                assert asks.broken_rules(other, answer["body"]) == [], (feature, wire, other)


def test_every_feature_is_asked_in_every_protocol_that_has_it():
    assert len(FEATURES) >= 11
    asked = [json.loads(path.read_text()).keys() for path in golden.files()]
    assert sum(len(wires) for wires in asked) >= len(FEATURES) * 4 - 4
