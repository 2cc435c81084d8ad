"""Proof that people get their own months, in each form."""

import pytest

from tests.api.admin.office import Office, kind
from tests.api.own.people import client_of

PATH = "/api/user/statements"


@pytest.mark.parametrize(
    ("form", "media"),
    [("json", "application/json"), ("csv", "text/csv"), ("html", "text/html")],
)
async def test_a_month(office: Office, form: str, media: str):
    async with client_of(office) as client:
        reply = await client.get(f"{PATH}/2026-03?format={form}")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith(media)
    assert "ada@example.com" in reply.text


async def test_what_is_no_month(office: Office):
    async with client_of(office) as client:
        for month in ("2026-13", "x", "1999-01"):
            assert kind(await client.get(f"{PATH}/{month}")) == (422, "invalid")
