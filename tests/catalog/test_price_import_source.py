"""Proof that list prices are found by exact names only."""

from decimal import Decimal

import pytest
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
)

from tollbridge.catalog.price_import_source import (
    MAKERS,
    NoCounterpart,
    Wish,
    chosen,
    counterpart,
    read_source,
)


def model(name: str, match: MatchLogic) -> ModelInfo:
    return ModelInfo(name, match, prices=ModelPrice(input_mtok=Decimal(1)))


def seller(name: str, *models: ModelInfo, whose: MatchLogic | None = None) -> Provider:
    return Provider(name, name, name, models=list(models), model_match=whose)


HERE = seller(
    "here",
    model("family", ClauseStartsWith("family")),
    model("family-2", ClauseOr([ClauseEquals("family-2"), ClauseEquals("family-2-0101")])),
    model("inner", ClauseOr([ClauseOr([ClauseEquals("deep")]), ClauseContains("loose")])),
    model("both", ClauseAnd([ClauseEquals("both"), ClauseEquals("one")])),
    model("label", ClauseEquals("callable")),
    whose=ClauseContains("family"),
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("family", "family"),
        ("family-2", "family-2"),
        ("family-2-0101", "family-2"),
        ("deep", "inner"),
        ("callable", "label"),
    ],
)
def test_a_name_is_found_letter_by_letter(name: str, found: str) -> None:
    assert counterpart([HERE], name)[1].id == found


@pytest.mark.parametrize(
    "name", ["family-3", "famil", "Family", "loose", "one", "label", "family-2 ", ""]
)
def test_what_is_only_alike_is_not_found(name: str) -> None:
    with pytest.raises(NoCounterpart, match="no model of exactly this name"):
        counterpart([HERE], name)


def test_a_name_that_two_sell_is_the_makers_or_nobodys() -> None:
    also = seller("also", model("family", ClauseEquals("family")), HERE.models[4])
    assert counterpart([also, HERE], "family")[0] is HERE
    assert counterpart([also], "family")[0] is also
    with pytest.raises(NoCounterpart, match="sold by also and here: name one with --provider"):
        counterpart([also, HERE], "callable")


def test_makers_are_asked_unless_others_are_named() -> None:
    known = read_source()
    assert [one.id for one in chosen(known, ())] == list(MAKERS)
    assert [one.id for one in chosen(known, ("groq", "openai"))] == ["groq", "openai"]
    with pytest.raises(ValueError, match="genai-prices has no provider nobody: anthropic, "):
        chosen(known, ("openai", "nobody"))


def test_every_maker_knows_its_own_models() -> None:
    makers = chosen(read_source(), ())
    for name, maker in (
        ("gpt-4o", "openai"),
        ("claude-opus-4-6", "anthropic"),
        ("gemini-2.5-pro", "google"),
    ):
        assert counterpart(makers, name)[0].id == maker


def test_wishes() -> None:
    assert Wish.of_text("a") == Wish("a", "a")
    assert Wish.of_text("a=b/c") == Wish("a", "b/c")
    for text in ("", "=a", "a=", "a*"):
        with pytest.raises(ValueError, match="without wildcards"):
            Wish.of_text(text)
