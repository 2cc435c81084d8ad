"""Users are found by a part of the address, by id and by what they are, newest first, page by page."""

from tests.services.pages import House
from tollbridge.people.user_search import WantedUsers, find_users
from tollbridge.storage.unit_of_work import reading


async def emails(house: House, **wanted) -> list[str]:
    async with reading(house.engine) as connection:
        found = await find_users(connection, WantedUsers(**wanted))
    return [one.row["email"].partition("@")[0] for one in found]


async def crowd(house: House) -> dict[str, int]:
    return {
        "ann": await house.user("Ann@Example.com", credit=7),
        "bob_1": await house.user("bob_1@example.com", "staff"),
        "bobx1": await house.user("bobx1@example.org", group_name="friends"),
        "eve%": await house.user("eve%@example.org", "admin", deleted_ms=1),
    }


async def test_filters_are_all_together(house: House) -> None:
    ids = await crowd(house)
    assert await emails(house) == ["eve%", "bobx1", "bob_1", "Ann"]
    assert await emails(house, text="EXAMPLE.com") == ["bob_1", "Ann"]
    # Signs that mean something to LIKE mean themselves.
    assert await emails(house, text="bob_1") == ["bob_1"]
    assert await emails(house, text="%") == ["eve%"]
    assert await emails(house, text=str(ids["ann"])) == ["Ann"]
    assert await emails(house, text="\\") == []
    assert await emails(house, role="staff") == ["bob_1"]
    assert await emails(house, group="friends") == ["bobx1"]
    assert await emails(house, status="deleted") == ["eve%"]
    assert await emails(house, status="suspended") == []
    assert await emails(house, status="active", text="bob", group="default") == ["bob_1"]


async def test_pages_go_on_after_the_last(house: House) -> None:
    ids = await crowd(house)
    assert await emails(house, limit=2) == ["eve%", "bobx1"]
    assert await emails(house, limit=2, before=ids["bobx1"]) == ["bob_1", "Ann"]
    assert await emails(house, before=ids["ann"]) == []


async def test_the_balance_is_beside(house: House) -> None:
    await crowd(house)
    async with reading(house.engine) as connection:
        found = await find_users(connection, WantedUsers())
    assert [(one.available, one.held, one.status) for one in found] == [
        (0, 0, "deleted"), (0, 0, "active"), (0, 0, "active"), (7, 0, "active"),
    ]  # fmt: skip
