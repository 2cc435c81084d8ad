"""The twin of identity/audit.py: a line for what was done, none for what was rolled back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.identity.audit import SHELL, Actor, Subject, Wanted, _detail, lines, note
from tollbridge.storage.unit_of_work import reading, working

AT = 1_700_000_000_000
ANN = Actor(7, "ann@example.com", "console", "192.0.2.7")
BOB = Subject("user", 8, "bob@example.com")
SECRET = "sk-" + "a1B2c3D4" * 5


async def noted(engine, action="user.suspend", actor=ANN, subject=BOB, **detail):
    async with working(engine) as connection:
        await note(connection, actor, action, subject, AT, **detail)


async def read(engine, **wanted):
    async with reading(engine) as connection:
        return await lines(connection, Wanted(**wanted))


async def test_a_line_says_who_did_what_to_whom_and_why(engine):
    await noted(engine, reason="spam", before={"status": "active"}, n=3)
    await noted(engine, "admin.create", SHELL, Subject("user", None, "root@example.com"))
    shell, line = await read(engine)
    assert dict(line) == {
        "id": line["id"], "at_ms": AT, "actor_id": 7, "actor": "ann@example.com", "via": "console",
        "address": "192.0.2.7", "action": "user.suspend", "subject_kind": "user", "subject_id": 8,
        "subject": "bob@example.com",
        "detail": '{"before":{"status":"active"},"n":3,"reason":"spam"}',
    }  # fmt: skip
    assert (shell["actor_id"], shell["actor"], shell["via"]) == (None, "shell", "shell")
    assert shell["detail"] == "{}"


async def test_what_was_rolled_back_has_no_line(engine):
    async with working(engine) as connection:
        await note(connection, ANN, "user.suspend", BOB, AT)
        await connection.rollback()
    assert await read(engine) == []


async def test_filters_count_together(engine):
    await noted(engine)
    await noted(engine, "user.restore")
    await noted(engine, "channel.change", subject=Subject("channel", 8, "c"))
    await noted(engine, "user.suspend", SHELL, Subject("user", 9, "eve@example.com"))
    everything = await read(engine)
    assert [line["action"] for line in everything] == [
        "user.suspend", "channel.change", "user.restore", "user.suspend",
    ]  # fmt: skip
    for wanted, expected in (
        ({"action": "user.suspend"}, [0, 3]),
        ({"actor_id": 7}, [1, 2, 3]),
        ({"actor_id": 7, "action": "user.suspend"}, [3]),
        ({"subject_kind": "user", "subject_id": 8}, [2, 3]),
        ({"subject_kind": "channel"}, [1]),
        ({"action": "user"}, []),
        ({"action": "' OR 1=1"}, []),
        ({"limit": 2}, [0, 1]),
        ({"before": everything[1]["id"]}, [2, 3]),
        ({"before": everything[1]["id"], "limit": 1}, [2]),
    ):
        found = await read(engine, **wanted)
        assert found == [everything[place] for place in expected], wanted


async def test_no_secret_gets_into_the_log(engine):
    await noted(engine, subject=Subject("key", 1, f"name {SECRET}"), reason=f"found {SECRET} there")
    (line,) = await read(engine)
    assert SECRET not in str(dict(line))
    assert "found" in line["detail"]


async def test_long_texts_are_clipped(engine):
    long = Subject("key", 1, "ü" * 5_000)
    await noted(engine, actor=Actor(1, "n" * 5_000, "api"), subject=long, reason="r " * 5_000)
    (line,) = await read(engine)
    assert max(len(line["subject"]), len(line["actor"])) <= 320
    assert len(line["detail"]) < 2_000


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()), max_size=8))
def test_a_detail_is_always_json_of_an_object(detail):
    assert isinstance(json.loads(_detail(detail)), dict)


def test_a_detail_of_many_values_is_clipped():
    found = json.loads(_detail({f"name {n}": "v" * 900 for n in range(20)}))
    assert [*found] == ["clipped"] and len(found["clipped"]) == 4_000
