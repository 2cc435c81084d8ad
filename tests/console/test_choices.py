"""The twin of console/choices.py: a browser keeps its language and theme; nobody is sent elsewhere."""

import pytest

from tests.services.pages import House


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("language", "language", "zh_Hans"),
        ("language", "language", "en"),
        ("theme", "theme", "dark"),
    ],
)
async def test_a_choice_is_kept_and_leads_back(house: House, path: str, name: str, value: str):
    async with house.browser() as browser:
        fields = {name: value, "back": "/docs?a=1"}
        answer = await browser.post(f"/console/{path}", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/docs?a=1")
        assert f"__Host-{name}={value};" in answer.headers["set-cookie"]
        page = (await browser.get("/console/nothing")).text
    assert ('<html lang="zh-Hans"' in page) is (value == "zh_Hans")
    assert ('data-theme="dark"' in page) is (value == "dark")


@pytest.mark.parametrize(
    "value", ["", "fr", "../en", "zh-Hans", "dark; x=y", "\r\nset-cookie: a=b"]
)
async def test_anything_else_is_not_kept(house: House, value: str):
    async with house.browser() as browser:
        for name in ("language", "theme"):
            answer = await browser.post(f"/console/{name}", data={name: value, "back": "/docs"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/docs")
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("back", ["//evil.test", "https://evil.test", "/\\evil.test", "", "docs"])
async def test_nobody_is_sent_to_another_site(house: House, back: str):
    async with house.browser() as browser:
        answer = await browser.post("/console/theme", data={"theme": "dark", "back": back})
    assert answer.headers["location"] == "/"


async def test_a_choice_is_made_by_a_form(house: House):
    async with house.browser() as browser:
        assert (await browser.get("/console/theme?theme=dark")).status_code == 405
