"""Proof that a test says in words what it found, again as often as asked."""

from dataclasses import replace

import pytest

from tests.console.test_setup_channel import FORM
from tests.services.pages import House
from tollbridge.catalog.finding import Finding
from tollbridge.console.setup_test import DOOR, words_of
from tollbridge.upstreams.failures import Reason

WELL = Finding("ok", 200, 340, "/v1/models")


async def test_without_a_channel_there_is_nothing_to_test(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        for answer in (await browser.get("/setup/test"), await browser.post("/setup/test")):
            assert answer.headers["location"] == "/setup/channel"


async def test_what_was_found_is_told(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        await browser.post("/setup/channel", data=FORM)
        assert "Test now" in (await browser.get("/setup/test")).text
        house.found = replace(WELL, outcome="account_refused", status=401, said="bad <key>")
        refused = await browser.post("/setup/test")
        assert "does not accept the secret" in refused.text and "bad &lt;key&gt;" in refused.text
        assert "Go on without" in refused.text
        house.found = None
        assert "has no secret" in (await browser.post("/setup/test")).text
        house.found = WELL
        well = await browser.post("/setup/test")
        assert "It answers: the test took 340 ms." in well.text and "Test again" in well.text
    await house.refresh()
    (channel,) = house.snapshot.channels.values()
    assert house.tested == [(channel.accounts[0].id, None)] * 3


async def test_nobody_tests_without_end(house: House) -> None:
    house.found = WELL
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        await browser.post("/setup/channel", data=FORM)
        answers = [
            (await browser.post("/setup/test")).status_code for _ in range(DOOR.per_minute + 1)
        ]
    assert answers == [200] * DOOR.per_minute + [429]


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.PROXY_FAILED, Reason.SIGNED_OUT}))
def test_every_way_to_fail_has_its_words(reason: Reason) -> None:
    if reason is not Reason.REPLY_TOO_LARGE:
        assert "What the vendor says" not in words_of(Finding(reason.value, None, 1, "/"))


def test_answers_have_their_words() -> None:
    said = {words_of(Finding("x", status, 1, "/")) for status in (400, 401, 402, 403, 404, 429)}
    assert len(said) == 6
    assert words_of(Finding("status_503", 503, 1, "/")) == words_of(Finding("x", 529, 1, "/"))
    assert words_of(WELL) == ""
