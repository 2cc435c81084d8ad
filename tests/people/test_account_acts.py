"""What operators do to an account has a line that names channel and account."""

from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.account_acts import note_account
from tollbridge.storage.unit_of_work import writing


async def test_no_account_no_line(house: House) -> None:
    async with writing(house.engine) as connection:
        assert not await note_account(connection, BOSS, "recover", 99, now_ms())
    assert await noted(house) == []
