"""Proof that the log is read by filters and pages."""

from tests.api.admin.office import Office
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL, Actor, Subject, note
from tollbridge.storage.unit_of_work import working

PATH = "/api/admin/audit"


async def test_lines_are_found(each_office: Office):
    boss = Actor(each_office.people["admin"], "admin@example.com", "api", "192.0.2.7")
    async with working(each_office.shop.engine) as connection:
        for actor, action, number in ((boss, "user.role", 1), (SHELL, "user.role", 2)):
            subject = Subject("user", number, "x@example.com")
            await note(connection, actor, action, subject, now_ms(), reason="why", after={"a": 1})
    async with each_office.client() as client:
        first = (await client.get(f"{PATH}?limit=1")).json()
        rest = (await client.get(first["next"])).json()
        assert [one["subject_id"] for one in first["items"] + rest["items"]] == ["2", "1"]
        assert first["items"][0]["actor_id"] is None
        assert rest["items"][0]["detail"] == {"reason": "why", "after": {"a": 1}}
        for query, found in (
            (f"actor={boss.user_id}", ["1"]),
            ("subject_kind=user&subject=2", ["2"]),
            ("action=user.role", ["2", "1"]),
            ("action=user.none", []),
        ):
            shown = (await client.get(f"{PATH}?{query}")).json()["items"]
            assert [one["subject_id"] for one in shown] == found, query
