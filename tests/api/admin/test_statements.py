"""Proof that operators see a user's month as the user does."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tests.api.test_statements import get, this_month
from tests.api.test_statistics import USED, counted
from tollbridge.api.admin.statements import StatementAnswer
from tollbridge.identity.scopes import Scope


async def test_it_is_the_users_own(each_office: Office):
    shop = each_office.shop
    await counted(shop, await shop.settle(USED, charge=834_000))
    user = (await shop.key()).user_id
    month = this_month()
    mine = (await get(shop, month)).json()
    shown = await each_office.get(f"/users/{user}/statements/{month}")
    # Of the present month something is always still to come.
    assert shown.pop("complete_until") >= mine.pop("complete_until")
    assert shown == mine
    async with each_office.client(Scope.STATISTICS_READ, role="staff") as client:
        address = f"/api/admin/users/{user}/statements/{month}"
        for name, media in (("csv", "text/csv"), ("html", "text/html"), ("pdf", "application/pdf")):
            reply = await client.get(address, params={"format": name, "zone": "America/New_York"})
            assert reply.headers["content-type"].startswith(media)
            assert reply.headers["cache-control"] == "no-store"


async def test_the_scope_is_needed(office: Office):
    user = office.people["user"]
    async with office.client(Scope.USERS_READ) as client:
        reply = await client.get(f"/api/admin/users/{user}/statements/2026-01")
        assert kind(reply) == (403, "scope-missing")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("2026-13", "path.month"),
        ("2026-01?zone=Mars", "query.zone"),
        ("2026-01?format=docx", "query.format"),
        ("2026-01?colour=red", "query.colour"),
        ("2026-01-01", "path.month"),
    ],
)
async def test_what_there_is_not(office: Office, path: str, field: str):
    user = office.people["user"]
    async with office.client() as client:
        reply = await client.get(f"/api/admin/users/{user}/statements/{path}")
    assert kind(reply) == (422, "invalid")
    assert [fault["field"] for fault in problem(reply)["errors"]] == [field]


async def test_nobody(office: Office):
    async with office.client() as client:
        reply = await client.get("/api/admin/users/1/statements/2026-01")
    assert kind(reply) == (404, "not-found")


async def test_the_document_describes_it(each_office: Office):
    shop = each_office.shop
    await counted(shop, await shop.settle(USED, charge=1))
    user = (await shop.key()).user_id
    shown = await each_office.get(f"/users/{user}/statements/{this_month()}")
    parsed = StatementAnswer.model_validate(shown)
    assert parsed.model_dump(by_alias=True) == shown
