"""A token of an operator has its lines in the log, one of a customer has none."""

import pytest

from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import add_token, find_token
from tollbridge.identity.scopes import Scope
from tollbridge.people.token_acts import note_made, note_revoked
from tollbridge.storage.unit_of_work import writing


@pytest.mark.parametrize(("role", "lines"), [("user", 0), ("staff", 2), ("admin", 2)])
async def test_whose_tokens_are_noted(house: House, role: str, lines: int) -> None:
    who = await house.user(role=role)
    async with writing(house.engine) as connection:
        number, secret = await add_token(
            connection, house.secrets, who, "deploy", {Scope.OWN_READ}, at_ms=now_ms()
        )
        token = await find_token(connection, number)
        assert token is not None
        await note_made(connection, BOSS, token, now_ms())
        await note_revoked(connection, BOSS, token, now_ms())
    told = await noted(house)
    assert len(told) == lines
    assert secret not in str(told)
