"""Citations in bytes and in characters."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.conversation import Citation
from tollbridge.protocols.gemini_grounding import citations_of, grounding_fields


@given(st.text(min_size=1, max_size=12), st.data())
def test_a_place_survives_the_way_there_and_back(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    citation = Citation(url="u", title="t", start=start, end=end)
    fields = grounding_fields([(0, text, citation)])
    assert fields["groundingSupports"][0]["segment"]["text"] == text[start:end]
    assert citations_of({"groundingMetadata": fields}, {0: text}) == [(0, citation)]


def test_places_of_the_whole_text_are_found_in_its_pieces():
    source = {"uri": "u", "startIndex": 4, "endIndex": 6, "license": "mit"}
    candidate = {"citationMetadata": {"citationSources": [source, {"startIndex": 1}]}}
    assert citations_of(candidate, {1: "abc", 3: "defg"}) == [
        (1, Citation(url="u", start=1, end=3)),
    ]


def test_pages_without_a_place_belong_to_the_last_text():
    candidate = {"groundingMetadata": {"groundingChunks": [{"web": {"uri": "u"}}, {"maps": {}}]}}
    assert citations_of(candidate, {0: "a", 1: "b"}) == [(1, Citation(url="u"))]
    assert citations_of(candidate, {}) == []


def test_a_place_beyond_the_text_is_none():
    support = {"segment": {"startIndex": 1, "endIndex": 99}, "groundingChunkIndices": [0, "1", -1]}
    candidate = {
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "u", "title": 3}}],
            "groundingSupports": [support],
        }
    }
    assert citations_of(candidate, {0: "abc"}) == [(0, Citation(url="u"))]


def test_no_citations_are_no_fields():
    assert grounding_fields([]) == {}
    assert grounding_fields([(0, "abc", Citation(url="u"))]) == {
        "groundingChunks": [{"web": {"uri": "u", "title": ""}}]
    }
