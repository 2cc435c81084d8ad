"""Owns the page of questions and answers, and searching it. Must not know the answers."""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from tollbridge.console.faq_entries import GEMINI, LIMITS, MODELS, START, Entry
from tollbridge.console.faq_money import MONEY, PRIVACY
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()
CHAPTERS: Final = (START, MODELS, GEMINI, LIMITS, MONEY, PRIVACY)
_WISH_MAX = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A question and its answer, Markdown, in the visitor's language."""

    id: str
    question: str
    answer: str


@pages.get("/docs/faq", ANYBODY)
async def faq(visit: Visit) -> Response:
    """Show the questions, or those in which every word of the search is."""
    wish = visit.query("q").strip()[:_WISH_MAX]
    words = wish.casefold().split()
    found = []
    for chapter in CHAPTERS:
        answers = [_answer(visit, entry) for entry in chapter.entries]
        matching = [one for one in answers if _matches(one, words)]
        if matching:
            found.append((chapter.title, matching))
    return visit.show("console/faq.html", chapters=found, wish=wish)


def _answer(visit: Visit, entry: Entry) -> Answer:
    services = visit.services
    facts = {"url": services.site_url(), "site": services.snapshot().site.name}
    return Answer(entry.id, visit.text(entry.question), visit.text(entry.answer, **facts))


def _matches(one: Answer, words: list[str]) -> bool:
    text = f"{one.question} {one.answer}".casefold()
    return all(word in text for word in words)
