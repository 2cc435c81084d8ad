"""Names, addresses and ends of keys lead to ids; what names nothing, or several, is told."""

import pytest

from tests.console.calls import Till
from tests.services.pages import House
from tollbridge.people.call_wish import CallWish, NotFound, wanted_of
from tollbridge.storage.call_search import Wanted
from tollbridge.storage.unit_of_work import reading


async def asked(house: House, **fields: str) -> Wanted:
    async with reading(house.engine) as connection:
        return await wanted_of(connection, CallWish(**fields))


async def test_names_lead_to_ids(house: House):
    till = await Till(house).open()
    ada = await till.user()
    channel = house.snapshot.channels_by_name["main"]
    account = channel.accounts[0]
    assert await asked(house) == Wanted()
    assert await asked(house, user="ADA@example.com") == Wanted(user_id=ada["id"])
    assert await asked(house, user="123") == Wanted(user_id=123)
    assert await asked(house, channel="main") == Wanted(channel_id=channel.id)
    assert await asked(house, channel="77") == Wanted(channel_id=77)
    both = Wanted(channel_id=channel.id, account_id=account.id)
    assert await asked(house, account=account.name, channel="main") == both
    assert await asked(house, account=str(account.id)) == both
    assert await asked(house, key="12345678") == Wanted(key_id=12_345_678)
    assert await asked(house, model="m", error_kind="e") == Wanted(model="m", error_kind="e")


@pytest.mark.parametrize(
    ("field", "text"),
    [("user", "nobody@example.com"), ("channel", "none"), ("account", "none"), ("key", "x"),
     ("key", "…abcdef")],
)  # fmt: skip
async def test_what_names_nothing(house: House, field: str, text: str):
    with pytest.raises(NotFound) as caught:
        await asked(house, **{field: text})
    assert (caught.value.field, caught.value.several) == (field, False)
