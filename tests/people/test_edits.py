"""An edit has one line in the log; none where nothing differs."""

import pytest

from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.catalog.edits import Edit
from tollbridge.people.edits import note_edit
from tollbridge.storage.unit_of_work import working


@pytest.mark.parametrize("after", [{}, {"rpm": 2}])
async def test_an_edit_is_noted_if_it_changed_anything(house: House, after: dict[str, int]) -> None:
    edit = Edit("channel.change", "channel", 7, "main", {"rpm": 1}, after)
    async with working(house.engine) as connection:
        await note_edit(connection, BOSS, edit, 1)
    line = ("channel.change", 7, {"before": {"rpm": 1}, "after": {"rpm": 2}})
    assert await noted(house) == ([line] if after else [])
