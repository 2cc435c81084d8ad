"""Proof of the rows of what nodes hold: each node replaces its own, the dead say nothing."""

from sqlalchemy import insert

from tollbridge.storage.account_troubles import (
    UNENDING,
    Held,
    any_of_the_dead,
    clear_the_dead,
    clear_troubles,
    database_ms,
    forget_account,
    held_by_anybody,
    keys_of,
    troubles_of,
    write_troubles,
)
from tollbridge.storage.ledger_tables import node
from tollbridge.storage.unit_of_work import working


async def enters(connection, number: int, *, dead: bool = False) -> None:
    row = {"id": number, "name": f"node {number}", "epoch": 1, "beat": 1, "dead": dead}
    await connection.execute(insert(node), [row])


def held(account_id: int, trouble: str, until_ms: int, model: str = "", why: str = "why") -> Held:
    return Held(account_id, model, trouble, why, "mark", 5, until_ms)


async def test_a_node_replaces_its_own_rows_alone(engine):
    async with working(engine) as connection:
        await enters(connection, 1)
        await enters(connection, 2)
        later = await database_ms(connection) + 60_000
        rows = [held(7, "quarantined", later), held(7, "rate_limited", later, "m")]
        await write_troubles(connection, 1, [], rows)
        await write_troubles(connection, 2, [], rows[:1])
        moved = held(7, "quarantined", later + 5, why="it # has #marks")
        await write_troubles(connection, 1, [rows[1].key], [moved])
        assert await keys_of(connection, 1) == {moved.key}
        assert await held_by_anybody(connection, ["rate_limited"]) == []
        found = await held_by_anybody(connection, ["quarantined"])
        assert sorted(found) == sorted([rows[0], moved])
        seen = await troubles_of(connection, [7, 8])
        assert [(one.node, one.reason) for one in seen[7]] == [
            ("node 1", "it # has #marks"),
            ("node 2", "why"),
        ]
        await clear_troubles(connection, 1)
        assert await keys_of(connection, 1) == set()
        assert await keys_of(connection, 2) == {rows[0].key}
        await forget_account(connection, 7)
        assert await keys_of(connection, 2) == set()


async def test_what_is_over_is_not_in_force_but_a_breaker_waits_for_its_probe(engine):
    async with working(engine) as connection:
        await enters(connection, 1)
        before = await database_ms(connection) - 1
        rows = [held(7, "quarantined", before), held(7, UNENDING, before)]
        await write_troubles(connection, 1, [], rows)
        (seen,) = (await troubles_of(connection, [7]))[7]
        assert seen.trouble == UNENDING
        assert await held_by_anybody(connection, ["quarantined"]) == []


async def test_the_dead_and_the_unknown_say_nothing_of_the_present(engine):
    async with working(engine) as connection:
        await enters(connection, 1)
        await enters(connection, 2, dead=True)
        later = await database_ms(connection) + 60_000
        for number in (2, 3):
            await write_troubles(connection, number, [], [held(number, "quarantined", later)])
        assert await troubles_of(connection, [2, 3]) == {}
        assert await any_of_the_dead(connection)
        await write_troubles(connection, 1, [], [held(1, "quarantined", later)])
        dead = await held_by_anybody(connection, ["quarantined"], dead=True)
        assert sorted(one.account_id for one in dead) == [2, 3]
        assert len(await held_by_anybody(connection, ["quarantined"])) == 3
        await clear_the_dead(connection)
        assert not await any_of_the_dead(connection)
        assert await keys_of(connection, 1) == {(1, "", "quarantined")}
