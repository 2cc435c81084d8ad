"""The twin of console/faq_money.py: what is promised of money is what the pages of money do."""

from tollbridge.console.faq_money import MONEY, PRIVACY


def test_the_matters_that_people_ask_about_are_there() -> None:
    ids = {entry.id for chapter in (MONEY, PRIVACY) for entry in chapter.entries}
    asked = {"dollars", "bonus-missing", "refund", "invoice", "money-safe", "stored-content"}
    assert ids >= asked | {"images", "images-refused", "support", "whose-service"}
