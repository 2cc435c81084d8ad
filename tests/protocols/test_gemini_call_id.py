"""Ids of calls that the vendor did not name."""

import re

from tollbridge.protocols.gemini_call_id import call_id


def test_ids_are_stable_distinct_and_fit_every_vendor():
    places = [("r", 0, 0), ("r", 0, 1), ("r", 1, 0), ("s", 0, 0), ("", 0, 0)]
    ids = [call_id(*place) for place in places]
    assert len(set(ids)) == len(ids)
    assert ids == [call_id(*place) for place in places]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", one) for one in ids)
