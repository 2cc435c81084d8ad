"""Proof that operators find, change, keep out and credit users, and that each deed is written down."""

import pytest
from sqlalchemy import select

from tests.api.admin.office import Office, kind, problem
from tests.services.shop import DEMO
from tollbridge.api.admin.idempotency import HEADER
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.unit_of_work import reading

PATH = "/api/admin/users"


async def ada(office: Office) -> str:
    return f"{PATH}/{(await office.shop.key(DEMO)).user_id}"


async def noted(office: Office) -> list[tuple[str, str]]:
    async with reading(office.shop.engine) as connection:
        query = select(audit_log.c.action, audit_log.c.via).order_by(audit_log.c.id)
        return [tuple(row) for row in await connection.execute(query)]


async def test_users_are_found_and_shown(each_office: Office):
    async with each_office.client() as client:
        found = (await client.get(f"{PATH}?text=ADA@")).json()["items"]
        assert [one["email"] for one in found] == ["ada@example.com"]
        assert (found[0]["balance"], found[0]["status"]) == ("5.00", "active")
        one = (await client.get(f"{PATH}/{found[0]['id']}")).json()
        assert {key["name"] for key in one["keys"]} == {"demo", "auto", "limited"}
        staff = (await client.get(f"{PATH}?role=staff")).json()["items"]
        assert [row["email"] for row in staff] == ["staff@example.com"]
        link, seen = f"{PATH}?limit=2", []
        while link:
            page = (await client.get(link)).json()
            seen += [row["id"] for row in page["items"]]
            link = page["next"]
        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen, key=int, reverse=True)
        assert kind(await client.get(f"{PATH}/7")) == (404, "not-found")


async def test_changes_are_written_down_once(each_office: Office):
    path, wish = await ada(each_office), {"group": "vip", "rpm": 5, "role": "staff"}
    async with each_office.client() as client:
        for _ in range(2):
            one = (await client.patch(path, json=wish)).json()
            assert (one["group"], one["rpm"], one["tpm"], one["role"]) == ("vip", 5, 0, "staff")
    via = "api"
    assert sorted(await noted(each_office)) == [
        ("user.group", via), ("user.limits", via), ("user.role", via),
    ]  # fmt: skip


async def test_the_last_admin_stays(office: Office):
    path = f"{PATH}/{office.people['admin']}"
    async with office.client() as client:
        assert kind(await client.patch(path, json={"role": "user"})) == (409, "conflict")
        reply = await client.post(f"{path}/suspend", json={"reason": "x"})
        assert kind(reply) == (409, "conflict")


async def test_who_is_kept_out_is_out_at_once(each_office: Office):
    path = f"{PATH}/{each_office.people['staff']}"
    token = await each_office.token(role="staff")
    async with each_office.client() as client, each_office.shop.client(token) as theirs:
        assert (await theirs.get("/api/admin/me")).status_code == 200
        out = (await client.post(f"{path}/suspend", json={"reason": "spam"})).json()
        assert (out["status"], out["status_reason"]) == ("suspended", "spam")
        assert kind(await theirs.get("/api/admin/me")) == (401, "unauthorised")
        back = (await client.post(f"{path}/unsuspend", json={"reason": "sorry"})).json()
        assert (back["status"], back["status_reason"]) == ("active", None)
        assert (await theirs.get("/api/admin/me")).status_code == 200
        assert (await client.delete(f"{path}/sessions")).json() == {"ended": 0}
    assert [action for action, _ in await noted(each_office)] == [
        "user.suspend", "user.unsuspend", "user.sessions",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("1.25", 200), ("-1.25", 200), ("-5.01", 409), ("0", 422), ("1.0000000001", 422),
        ("+1", 422), ("-", 422), (1, 422), ("10000000.01", 422),
    ],
)  # fmt: skip
async def test_credit_is_exact_or_refused(office: Office, amount, told: int):
    path = await ada(office)
    async with office.client() as client:
        body = {"amount": amount, "reason": "because"}
        reply = await client.post(f"{path}/credit", json=body, headers={HEADER: "a"})
        assert reply.status_code == told, reply.text
        if told == 409:
            assert problem(reply)["detail"] == "Only 5.00 can be taken."
        balance = (await client.get(path)).json()["balance"]
    assert balance == {"1.25": "6.25", "-1.25": "3.75"}.get(str(amount), "5.00")
