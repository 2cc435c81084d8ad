"""Proof that invites are made, listed and revoked, and their codes told once."""

from tests.api.admin.office import Office, kind

PATH = "/api/admin/invites"


async def test_an_invite_from_its_making_to_its_end(each_office: Office):
    async with each_office.client() as client:
        made = await client.post(PATH, json={"uses_max": 2, "note": "friends"})
        assert made.status_code == 201
        listed = await client.get(PATH)
        [one] = listed.json()["items"]
        assert made.json()["code"] not in listed.text
        assert (one["last6"], one["uses_max"]) == (made.json()["code"][-6:], 2)
        assert (await client.delete(f"{PATH}/{one['id']}")).status_code == 204
        assert kind(await client.delete(f"{PATH}/{one['id']}")) == (404, "not-found")
        [one] = (await client.get(PATH)).json()["items"]
        assert one["revoked_at"] is not None


async def test_what_is_over_cannot_be_made(office: Office):
    async with office.client() as client:
        reply = await client.post(PATH, json={"expires_at": "2026-01-01T00:00:00Z"})
        assert kind(reply) == (422, "invalid")
