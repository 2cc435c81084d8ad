"""Proof that users find their own calls, by every filter, and nobody else's."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.console.calls import DAY_MS, HOUR_MS, Till
from tests.services.pages import House
from tollbridge.protocols.usage import Usage


async def get(house: House, user_id: int, path: str = "/console/usage") -> Any:
    async with house.browser(user_id) as browser:
        return await browser.get(path)


def listed(page: Any) -> list[str]:
    return re.findall(r'data-unfold="r-(\w{32})"', page.text)


async def test_somebody_without_calls_is_told_the_next_step(house: House) -> None:
    page = await get(house, await house.user())
    assert page.status_code == 200 and "/console/keys/new" in page.text
    assert listed(page) == []


async def test_filters_find_own_calls_only(house: House) -> None:
    till = await Till(house).open()
    ada, bob = await till.user(), await till.user("bob@example.com")
    old = await till.call(at_ms=till.now - 3 * DAY_MS)
    auto = await till.call(key="auto", at_ms=till.now - HOUR_MS)
    failed = await till.call(Usage(), state="upstream_error", status=502)
    theirs = await till.call(key="others")
    await till.catch_up()
    day = datetime.fromtimestamp(till.now / 1000 - 3 * 86_400, UTC).date()
    for query, tids in {
        "": [failed, auto, old],
        "key=demo": [failed, old],
        "key=auto&channel=main&model=gpt-5.4&status=answered&least=0.000834": [auto],
        "least=0.000835": [],
        "status=failed": [failed],
        f"from={day}&to={day}": [old],
        f"to={day}&key=auto": [],
        f"after={auto}": [old],
        f"before={auto}": [failed],
    }.items():
        page = await get(house, ada["id"], f"/console/usage?{query}")
        assert page.status_code == 200, query
        assert listed(page) == tids, query
        if not tids:
            assert "No call matches" in page.text and "Clear" in page.text
    assert listed(await get(house, bob["id"])) == [theirs]
    page = await get(house, ada["id"])
    assert "hidden-account" not in page.text


async def test_another_model_than_was_sent_is_told_and_a_mapping_is_not(house: House) -> None:
    till = await Till(house).open()
    ada = (await till.user())["id"]
    mapped = {"given": {"model_sent": "mapped-model"}, "model_answered": "mapped-model"}
    tids = [
        await till.call(**mapped),
        await till.call(model_answered="another-model", flags=("model_mismatch",)),
    ]
    await till.catch_up()
    listing = (await get(house, ada)).text
    receipts = [(await get(house, ada, f"/console/usage/{tid}")).text for tid in tids]
    assert re.findall("answered by ([a-z-]+)", listing) == ["another-model"]
    assert [re.findall("answered by ([a-z-]+)", text) for text in receipts] == [
        [], ["another-model"]
    ]  # fmt: skip


async def test_pages_join(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    tids = [await till.call(at_ms=till.now - at) for at in range(120)]
    await till.catch_up()
    seen: list[str] = []
    path = "/console/usage?key=demo"
    for _ in range(3):
        page = await get(house, ada["id"], path)
        seen += listed(page)
        older = re.search(r'href="([^"]*after=[^"]*)"', page.text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == tids and path == ""
    newer = re.search(r'href="([^"]*before=[^"]*)"', page.text)
    assert newer is not None
    page = await get(house, ada["id"], newer[1].replace("&amp;", "&"))
    assert listed(page) == tids[50:100]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("key=nobody", "key"), ("key=others", "key"), ("channel=nowhere", "channel"),
        ("status=3", "status"), ("from=x", "from"), ("least=much", "least"),
        ("model=%00", "model"),
    ],
)  # fmt: skip
async def test_a_filter_that_cannot_be_used_is_named(house: House, query: str, field: str) -> None:
    till = await Till(house).open()
    ada = await till.user()
    page = await get(house, ada["id"], f"/console/usage?{query}")
    assert page.status_code == 422
    assert f'id="d-{field}" role="alert"' in page.text


@pytest.mark.parametrize("query", ["after=x", "before=" + "A" * 32, "after=%ff"])
async def test_a_place_that_is_none_is_not_there(house: House, query: str) -> None:
    assert (await get(house, await house.user(), f"/console/usage?{query}")).status_code == 404


async def test_how_a_call_ended_is_said(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    await till.call(Usage(), state="client_gone", status=499)
    await till.catch_up()
    page = await get(house, ada["id"])
    assert "Client 499" in page.text and "given back" not in page.text


async def test_a_filter_finds_what_the_badges_say(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    for at, (state, status, error) in enumerate(
        (
            ("complete", 200, None), ("complete", 499, None), ("limited", 200, None),
            ("client_gone", 499, None), ("refused", 402, "balance_insufficient"),
            ("partial", 200, None), ("upstream_error", 429, "provider_rate_limited"),
            ("reclaimed", 500, "internal"),
        )
    ):  # fmt: skip
        await till.call(Usage(), at_ms=till.now - at, state=state, status=status, error_kind=error)
    await till.catch_up()
    seen = {}
    for how, badge, calls in (
        ("answered", "Answered", 3),
        ("client", "Client", 2),
        ("failed", "Failed", 3),
    ):
        page = await get(house, ada["id"], f"/console/usage?status={how}")
        badges = re.findall(r'<td><span class="badge[^>]*>([A-Z][a-z]+) \d{3}<', page.text)
        assert badges == [badge] * calls, how
        seen[how] = listed(page)
    assert len({tid for tids in seen.values() for tid in tids}) == 8


async def test_names_of_others_are_text_on_every_page(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    name = "<b>&\"'%s %(x)s {{ 7 * 7 }}"
    tid = await till.call(
        given={"model_asked": name, "key_name": name, "channel_name": name},
        model_answered=f"{name}2",
    )
    await till.catch_up()
    for path in ("/console", "/console/usage", f"/console/usage/{tid}"):
        page = await get(house, ada["id"], path)
        assert page.status_code == 200, path
        assert "<b>" not in page.text and "%(x)s {{ 7 * 7 }}" in page.text, path
