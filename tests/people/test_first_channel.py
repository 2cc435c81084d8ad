"""Proof that the first channel is saved as operators save theirs, again as often as wanted, to the end."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.services.pages import House
from tollbridge.catalog.fields import FileError
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.people.first_channel import (
    FirstChannel,
    FirstRun,
    FirstRunOver,
    end_first_run,
    read_first_channel,
    read_first_run,
    save_first_channel,
)
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.unit_of_work import reading, writing

WISH = FirstChannel("main", "openai", ("gpt-a",), "https://api.example.com", "vendor-secret", True)


async def save(house: House, wish: FirstChannel = WISH) -> FirstRun:
    async with writing(house.engine) as connection:
        return await save_first_channel(connection, house.secrets, SHELL, wish, now_ms())


async def state(house: House) -> tuple[FirstRun, FirstChannel | None]:
    async with reading(house.engine) as connection:
        run = await read_first_run(connection)
        return run, await read_first_channel(connection, run)


async def test_it_can_be_sold_and_read_again(house: House) -> None:
    assert await state(house) == (FirstRun(), None)
    run = await save(house)
    assert await state(house) == (run, replace(WISH, secret=""))
    await house.refresh()
    (channel,) = house.snapshot.channels.values()
    (account,) = channel.accounts
    assert (channel.id, account.id) == (run.channel_id, run.account_id)
    assert (account.secret, account.compatible) == ("vendor-secret", True)
    async with reading(house.engine) as connection:
        lines = (await connection.execute(select(audit_log.c.action, audit_log.c.detail))).all()
    assert {line.action for line in lines} == {"channel.make", "account.make"}
    assert all("vendor-secret" not in line.detail for line in lines)


async def test_saving_again_changes_the_same_one(house: House) -> None:
    first = await save(house)
    assert await save(house, replace(WISH, name="other", models=("gpt-b",), secret="")) == first
    await house.refresh()
    (channel,) = house.snapshot.channels.values()
    assert (channel.name, channel.models) == ("other", {"gpt-b"})
    assert channel.accounts[0].secret == "vendor-secret"


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"base_url": "http://127.0.0.1:9"}, "base_url"),
        ({"base_url": "http://169.254.169.254"}, "base_url"),
        ({"base_url": "https://api.example.com/v1"}, "base_url"),
        ({"secret": ""}, ""),
        ({"name": "a b"}, "name"),
        ({"models": ("",)}, "models"),
    ],
)
async def test_faults_are_named_and_nothing_is_kept(
    house: House, fault: dict[str, str], field: str
) -> None:
    with pytest.raises(FileError) as error:
        await save(house, replace(WISH, **fault))
    assert error.value.field == field
    assert await state(house) == (FirstRun(), None)


async def test_a_secret_does_not_follow_to_another_address(house: House) -> None:
    await save(house)
    moved = replace(WISH, base_url="https://elsewhere.example.com", secret="")
    with pytest.raises(FileError):
        await save(house, moved)
    await save(house, replace(moved, secret="another-secret"))


async def test_the_end_is_for_good(house: House) -> None:
    run = await save(house)
    async with writing(house.engine) as connection:
        await end_first_run(connection)
    assert (await state(house))[0] == replace(run, over=True)
    with pytest.raises(FirstRunOver):
        await save(house)
    async with writing(house.engine) as connection:
        with pytest.raises(FirstRunOver):
            await end_first_run(connection)


async def test_a_site_that_has_channels_needs_none(house: House) -> None:
    async with writing(house.engine) as connection:
        await save_first_channel(connection, house.secrets, SHELL, WISH, now_ms())
        await connection.exec_driver_sql("DELETE FROM site")
        assert await read_first_run(connection) == FirstRun(over=True)
