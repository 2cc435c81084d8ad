"""Proof that an admin makes the first channel here, and nobody else sees the page."""

import pytest

from tests.services.pages import House

FORM = {
    "platform": "openai",
    "name": "main",
    "base_url": "https://api.example.com",
    "secret": "vendor-secret",
    "model": "gpt-4o-mini",
    "more": "my-model\nother-model",
    "compatible": "1",
}


async def test_each_platform_has_its_address_and_models(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        assert "/setup/channel?platform=gemini" in (await browser.get("/setup/channel")).text
        for platform, url, model in (
            ("openai", "https://api.openai.com", "gpt-4o-mini"),
            ("anthropic", "https://api.anthropic.com", "claude-"),
            ("gemini", "https://generativelanguage.googleapis.com", "gemini-"),
        ):
            page = await browser.get("/setup/channel", params={"platform": platform})
            assert page.status_code == 200
            assert f'value="{url}"' in page.text and f'value="{model}' in page.text


async def test_it_is_saved_and_shown_again_without_its_secret(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        done = await browser.post("/setup/channel", data=FORM)
        assert (done.status_code, done.headers["location"]) == (303, "/setup/test"), done.text
        again = await browser.get("/setup/channel")
        assert "vendor-secret" not in again.text and "my-model\nother-model" in again.text
        assert 'value="gpt-4o-mini" checked' in again.text
        kept = await browser.post("/setup/channel", data={**FORM, "secret": "", "more": ""})
        assert kept.status_code == 303
    await house.refresh()
    (channel,) = house.snapshot.channels.values()
    assert channel.models == {"gpt-4o-mini"}
    assert channel.accounts[0].secret == "vendor-secret"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"base_url": "http://127.0.0.1:8080"}, "allow_private_upstreams = true"),
        ({"base_url": "http://10.1.2.3"}, "tollbridge apply"),
        ({"base_url": "http://169.254.169.254"}, "no address that can be called"),
        ({"base_url": "ftp://x"}, "no address that can be called"),
        ({"base_url": "http://[::"}, "no address that can be called"),
        ({"base_url": "https://api.example.com/v1"}, "without /v1"),
        ({"secret": ""}, "Enter the secret"),
        ({"secret": "\u2603"}, "Enter the secret"),
        ({"name": "a b"}, "Another channel has this name"),
        ({"model": "", "more": ""}, "Choose at least one model"),
        ({"model": "", "more": "a b"}, "cannot be the name of a model"),
        ({"platform": "nobody"}, "Whose interface"),
    ],
)
async def test_faults_are_told_beside_their_fields(
    house: House, fault: dict[str, str], word: str
) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        answer = await browser.post("/setup/channel", data={**FORM, **fault})
    assert answer.status_code == 422
    assert word in answer.text
    assert "vendor-secret" not in answer.text


async def test_the_file_may_allow_private_addresses(house: House) -> None:
    await house.set_site(allow_private_upstreams=True)
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        form = {**FORM, "base_url": "http://127.0.0.1:8080"}
        assert (await browser.post("/setup/channel", data=form)).status_code == 303


async def test_staff_and_users_find_nothing(house: House) -> None:
    for role in ("staff", "user"):
        async with house.browser(await house.user(f"{role}@example.com", role)) as browser:
            for method, path in (
                ("GET", "/setup/channel"),
                ("POST", "/setup/channel"),
                ("GET", "/setup/test"),
                ("POST", "/setup/test"),
                ("GET", "/setup/prices"),
                ("POST", "/setup/prices"),
                ("POST", "/setup/end"),
            ):
                form = FORM if method == "POST" else None
                assert (await browser.request(method, path, data=form)).status_code == 404
