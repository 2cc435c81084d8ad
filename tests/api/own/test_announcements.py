"""Proof that people read what is announced now, in their language."""

from tests.api.admin.office import Office
from tests.api.own.people import client_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.people.announcements import Announcement, announce
from tollbridge.storage.unit_of_work import working


async def test_what_is_told_now(each_office: Office):
    at_ms = now_ms()
    told = (("all", "", -2), ("english", "en", -1), ("later", "", 60_000), ("other", "zh_Hans", -1))
    async with working(each_office.shop.engine) as connection:
        for title, language, after_ms in told:
            wish = Announcement("news", title, "A *text*", language, at_ms + after_ms, None)
            await announce(connection, SHELL, wish, at_ms)
    async with client_of(each_office) as client:
        shown = (await client.get("/api/user/announcements")).json()
        other = (await client.get("/api/user/announcements?language=zh_Hans")).json()
    assert [one["title"] for one in shown["items"]] == ["english", "all"]
    assert shown["items"][0]["body"] == "A *text*" and shown["next"] is None
    assert [one["title"] for one in other["items"]] == ["other", "all"]
