"""The twin of console/docs.py: a way in for every client, and nothing of what is not for all."""

from tests.console.test_clients import EVERY
from tests.people.stock import STOCK
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.console.clients import PLACEHOLDER


async def test_anybody_can_read_how_to_begin(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/docs")
    assert page.status_code == 200
    for name in EVERY:
        assert f'id="config-{name}"' in page.text
    assert "https://site.test/v1" in page.text and PLACEHOLDER in page.text
    for word in ("/v1/receipts/{tid}", "X-Tollbridge-Channel", "Retry-After", "has not named any"):
        assert word in page.text


async def test_models_are_those_that_the_reader_may_choose(house: House) -> None:
    await apply(house.engine, house.secrets, STOCK, environ={})
    await house.refresh()
    vip = await house.user(group_name="vip")
    async with house.browser() as browser:
        stranger = await browser.get("/docs")
    async with house.browser(vip) as browser:
        member = await browser.get("/docs")
    assert "gpt-test" in stranger.text and "gpt-other" not in stranger.text
    assert member.status_code == 200 and PLACEHOLDER in member.text


async def test_contacts_are_on_the_page_and_at_the_foot_of_public_ones(house: House) -> None:
    await house.set_site(
        contact_email="help@site.test",
        contact_telegram="@site_help",
        contact_qq="12345",
        contact_wechat='a"b',
    )
    async with house.browser() as browser:
        pages = [
            await browser.get(path)
            for path in (
                "/docs",
                "/docs/faq",
                "/docs/errors",
                "/status",
                "/legal/terms",
                "/sign-in",
            )
        ]
    for page in pages:
        assert 'href="mailto:help@site.test"' in page.text
        assert 'href="https://t.me/site_help"' in page.text
        assert "QQ: 12345" in page.text and "WeChat: a&#34;b" in page.text
    assert pages[0].text.count("mailto:") == 2


async def test_a_contact_cannot_be_a_script(house: House) -> None:
    await house.set_site(contact_telegram="javascript:alert(1)", contact_email="javascript:x@y")
    async with house.browser() as browser:
        page = await browser.get("/docs")
    assert 'href="javascript' not in page.text
    await house.set_site(contact_telegram="https://t.me/+abc")
    async with house.browser() as browser:
        assert 'href="https://t.me/+abc"' in (await browser.get("/docs")).text
