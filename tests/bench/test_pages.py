"""Reading the pages of a generated database: every question has an answer and a verdict."""

from bench.pages import TARGET_MS, Page, lines, measure
from bench.rows import make
from tests.services.control_plane import database_url

__all__ = ["database_url"]


async def test_every_question_is_answered(database_url: str) -> None:
    await make(database_url, 4_000, days=2)
    heard: list[Page] = []
    found = await measure(database_url, runs=1, tell=heard.append)
    assert heard == found
    assert len({page.name for page in found}) == len(found) > 30
    assert {page.name.partition(":")[0] for page in found} == {
        "usage", "statistics", "statement", "search",
    }  # fmt: skip
    assert all(page.p95 > 0 and page.cpu > 0 for page in found)
    again = await measure(database_url, runs=1, only="statement")
    assert [page.name for page in again] == [
        page.name for page in found if page.name.startswith("statement")
    ]


def test_the_figures_as_text() -> None:
    one, two = Page("a", 1.0, TARGET_MS, 0.5), Page("b", 1.0, TARGET_MS + 0.1, 2.0)
    blank, head, first, second = lines("sqlite", [one, two])
    assert (blank, head.partition(":")[0]) == ("", "sqlite")
    assert first.endswith("ok")
    assert second.endswith("OVER")
    assert lines("sqlite", []) == []
