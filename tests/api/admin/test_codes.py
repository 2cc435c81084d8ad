"""Proof that codes are made, listed by batch and revoked, and never shown twice."""

import pytest

from tests.api.admin.office import Office, kind
from tollbridge.api.admin.idempotency import HEADER

PATH = "/api/admin/codes"
WISH = {"batch": "spring / 1", "count": 3, "amount": "2.00", "credit_days": 30}


async def test_a_batch_from_its_making_to_its_end(each_office: Office):
    async with each_office.client() as client:
        made = await client.post(PATH, json=WISH, headers={HEADER: "a"})
        assert made.status_code == 201
        codes = made.json()["codes"]
        assert len(set(codes)) == 3
        listed, link = [], f"{PATH}?batch=spring%20%2F%201&limit=2"
        texts = ""
        while link:
            page = await client.get(link)
            texts += page.text
            listed += page.json()["items"]
            link = page.json()["next"]
        assert {one["last6"] for one in listed} == {code[-6:] for code in codes}
        assert not any(code in texts for code in codes)
        [batch] = (await client.get(f"{PATH}/batches")).json()["items"]
        assert (batch["name"], batch["amount"], batch["unused"]) == ("spring / 1", "2.00", 3)
        taken = await client.post(PATH, json=WISH, headers={HEADER: "b"})
        assert kind(taken) == (409, "conflict")
        ended = await client.post(f"{PATH}/revoke", json={"batch": "spring / 1"})
        assert ended.json() == {"revoked": 3}
        reply = await client.post(f"{PATH}/revoke", json={"batch": "none"})
        assert kind(reply) == (404, "not-found")
        [line] = (await client.get("/api/admin/audit?action=codes.make")).json()["items"]
        assert (line["via"], line["subject"]) == ("api", "spring / 1")


async def test_batches_are_listed_by_pages(office: Office):
    async with office.client() as client:
        for name in ("a", "b", "c"):
            wish = WISH | {"batch": name, "count": 1}
            await client.post(PATH, json=wish, headers={HEADER: name})
        found, link = [], f"{PATH}/batches?limit=1"
        while link:
            page = (await client.get(link)).json()
            found += [one["name"] for one in page["items"]]
            link = page["next"]
            # What is made meanwhile is newer than all that is still to come.
            wish = WISH | {"batch": f"meanwhile {len(found)}", "count": 1}
            await client.post(PATH, json=wish, headers={HEADER: f"meanwhile {len(found)}"})
    assert found == ["c", "b", "a"]


@pytest.mark.parametrize(
    "more", [{"amount": "0"}, {"amount": "100000.01"}, {"count": 0}, {"count": 1001},
             {"expires_at": "2026-01-01T00:00:00Z"}, {"batch": ""}]
)  # fmt: skip
async def test_what_is_no_batch(office: Office, more):
    async with office.client() as client:
        reply = await client.post(PATH, json=WISH | more, headers={HEADER: "a"})
        assert kind(reply) == (422, "invalid")
