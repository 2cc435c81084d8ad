"""The twin of people/incidents.py: incidents alone, those of now and of two weeks, to their readers."""

from typing import Any

from sqlalchemy import insert

from tests.services.pages import House
from tollbridge.people.incidents import PAST_MS, Incident, for_readers, read_incidents
from tollbridge.storage.people_tables import announcements
from tollbridge.storage.unit_of_work import reading, writing

AT = 20_000 * 86_400_000


def told(identity: int, **more: Any) -> dict[str, Any]:
    values = {"level": "incident", "title": "t", "body": "b", "language": "", "ends_ms": None}
    return {"id": identity, "starts_ms": AT, "created_ms": AT, **values, **more}


async def test_which_are_read(house: House) -> None:
    rows = [
        told(1),
        told(2, starts_ms=AT - 5, ends_ms=AT),
        told(3, starts_ms=AT + 1),
        told(4, starts_ms=AT - 2 * PAST_MS, ends_ms=AT - PAST_MS),
        told(5, starts_ms=AT - 2 * PAST_MS, ends_ms=AT - PAST_MS + 1),
        told(6, level="warning"),
        told(7, starts_ms=AT - 2 * PAST_MS),
    ]
    async with writing(house.engine) as connection:
        await connection.execute(insert(announcements), rows)
    async with reading(house.engine) as connection:
        found = await read_incidents(connection, AT)
    assert [one.id for one in found] == [1, 2, 7, 5]
    assert [one.over(AT) for one in found] == [False, True, False, True]


def test_readers_of_a_language_get_theirs_and_those_for_all() -> None:
    some = [Incident(1, "t", "b", language, 0, None) for language in ("", "en", "zh_Hans")]
    assert for_readers(some, "en") == some[:2]
