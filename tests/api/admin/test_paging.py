"""Proof that pages lead through a whole list, whatever comes meanwhile, and that cursors are checked."""

import pytest
from starlette.requests import Request

from tests.api.admin.office import Office, kind
from tollbridge.api.admin.paging import LIMIT_MAX, Page, Paging, next_link, page
from tollbridge.api.admin.problems import Problem
from tollbridge.identity.scopes import Scope


async def test_all_pages_are_the_list_though_rows_come_meanwhile(each_office: Office):
    numbers = [(await each_office.numbered())[0] for _ in range(5)]
    seen, path = [], "/api/admin/tokens?limit=2"
    async with each_office.client() as client:
        while path:
            shown = (await client.get(path)).json()
            assert len(shown["items"]) <= 2
            seen += [int(one["id"]) for one in shown["items"]]
            if len(seen) == 2:
                numbers.append((await each_office.numbered())[0])
            path = shown["next"]
    assert [number for number in seen if number in numbers] == numbers
    assert len(seen) == len(set(seen)) == 7


async def test_the_last_page_is_exactly_full(office: Office):
    async with office.client(Scope.CHANNELS_READ) as client:
        shown = (await client.get("/api/admin/channels?limit=3")).json()
        assert (len(shown["items"]), shown["next"]) == (3, None)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "", "9" * 30, "1'--"])
@pytest.mark.parametrize("path", ["/tokens", "/channels", "/requests"])
async def test_a_wrong_cursor(office: Office, path: str, cursor: str):
    async with office.client() as client:
        reply = await client.get(f"/api/admin{path}?cursor={cursor}")
    assert kind(reply) == (400, "bad-cursor")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "limit=-1", "page=2", "cursor=%00"]
)
async def test_a_wrong_limit_or_parameter(office: Office, query: str):
    async with office.client() as client:
        for path in ("/tokens", "/channels", "/requests"):
            assert kind(await client.get(f"/api/admin{path}?{query}")) == (422, "invalid")
            assert (await client.get(f"/api/admin{path}?limit={LIMIT_MAX}")).status_code == 200


def asking(query: bytes) -> Request:
    scope = {"type": "http", "path": "/api/admin/x", "query_string": query, "headers": []}
    return Request({**scope, "server": ("h", 80), "scheme": "http", "root_path": ""})


def test_the_next_link_keeps_the_filters_and_changes_the_cursor():
    link = next_link(asking(b"name=a%26b&cursor=1&limit=2&name=%2F"), 7)
    assert link == "/api/admin/x?name=a%26b&limit=2&name=%2F&cursor=7"


def test_one_row_too_many_says_that_there_are_more():
    rows = [Paging(limit=number) for number in (1, 2, 3)]
    shown: Page[Paging] = page(asking(b""), Paging(limit=2), rows, key="limit")
    assert (shown.items, shown.next) == (rows[:2], "/api/admin/x?cursor=2")
    assert page(asking(b""), Paging(limit=3), rows, key="limit").next is None


def test_cursors():
    assert Paging().after_id() is Paging().after_tid() is None
    assert Paging(cursor="12").after_id() == 12
    assert Paging(cursor="0" * 32).after_tid() == "0" * 32
    for asked in (Paging(cursor="12").after_tid, Paging(cursor="A" * 32).after_tid):
        with pytest.raises(Problem):
            asked()
