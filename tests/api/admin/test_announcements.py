"""Proof that announcements are written, changed and ended, each with its line in the log."""

import pytest

from tests.api.admin.office import Office, kind

PATH = "/api/admin/announcements"
WISH = {"level": "warning", "title": "Tonight", "body": "We *move*.\nSee you."}


async def test_an_announcement_from_its_writing_to_its_end(each_office: Office):
    async with each_office.client() as client:
        made = (await client.post(PATH, json=WISH)).json()
        path = f"{PATH}/{made['id']}"
        assert {name: made[name] for name in WISH} == WISH
        assert (await client.get(path)).json() == made
        changed = (await client.put(path, json=WISH | {"title": "Later"})).json()
        assert (changed["title"], changed["starts_at"]) == ("Later", made["starts_at"])
        assert (await client.post(f"{path}/end")).json()["ends_at"] is not None
        [listed] = (await client.get(PATH)).json()["items"]
        assert listed["id"] == made["id"] and "body" not in listed
        log = (await client.get("/api/admin/audit")).json()["items"]
        assert [one["action"] for one in log] == [
            "announcement.end", "announcement.change", "announcement.make",
        ]  # fmt: skip
        for method, there in (("PUT", ""), ("POST", "/end"), ("GET", "")):
            body = {"json": WISH} if method == "PUT" else {}
            reply = await client.request(method, f"{PATH}/7{there}", **body)
            assert kind(reply) == (404, "not-found")


@pytest.mark.parametrize(
    "more",
    [{"level": "fun"}, {"title": " "}, {"body": ""}, {"body": "\0"}, {"language": "xx"},
     {"ends_at": "2026-01-01T00:00:00Z"}],
)  # fmt: skip
async def test_what_cannot_be_announced(office: Office, more):
    async with office.client() as client:
        assert kind(await client.post(PATH, json=WISH | more)) == (422, "invalid")
