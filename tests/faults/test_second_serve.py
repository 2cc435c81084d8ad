"""Two processes on one database file: one serves, the other ends with a sentence."""

import asyncio
import subprocess
import sys

from tests.faults.load import DONE, Ask, assert_books_right, call, many, until
from tests.services.gateway import running
from tests.services.ports import free_port

_SERVE = (sys.executable, "-m", "tollbridge.cli", "serve")
SLOW = Ask(
    fields={"stream": True},
    script={"prompt_tokens": 300, "tokens": 600, "events": 600, "event_delay_ms": 10},
)


def serve_beside(database, port):
    """Run a second `serve` to its end."""
    return subprocess.run(
        [*_SERVE, "--database", f"sqlite:///{database}", "--port", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def assert_refused(done):
    assert done.returncode == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("tollbridge: another tollbridge serves from tollbridge.db:")


async def test_a_second_serve_ends_while_the_first_goes_on(tmp_path):
    """Under whatever name and port it comes, and without touching the calls of the first."""
    async with running(tmp_path) as (gateway, _), many(gateway) as client:
        running_call = asyncio.ensure_future(call(client, SLOW))
        await until(lambda: gateway.rows("SELECT 1 FROM hold WHERE covered > 0"), "a running call")
        holds = gateway.rows("SELECT tid, epoch FROM hold")
        assert_refused(await asyncio.to_thread(serve_beside, gateway.database, free_port()))
        assert gateway.rows("SELECT tid, epoch FROM hold") == holds
        assert not running_call.done()
        linked = gateway.database.with_name("other.db")
        linked.symlink_to(gateway.database)
        others = ((linked, free_port()), (gateway.database, gateway.port))
        for done in await asyncio.gather(
            *(asyncio.to_thread(serve_beside, *other) for other in others)
        ):
            # Also on the same port: that can be changed, two writers must never be.
            assert_refused(done)
        seen = await running_call
        assert seen.data.endswith(DONE)
        (row,) = gateway.rows("SELECT tid, end_state, charge FROM usage")
        assert row == {"tid": seen.tid, "end_state": "complete", "charge": SLOW.full_price()}
        again = await call(client, Ask(script={"tokens": 5}))
        assert again.status == 200
        await assert_books_right(gateway)


async def test_after_a_kill_a_new_one_starts_at_once(tmp_path):
    """The kernel frees the lock of a killed process; nothing has to be cleaned up by hand."""
    async with running(tmp_path) as (gateway, _):
        async with many(gateway) as client:
            cut = asyncio.ensure_future(call(client, SLOW))
            await until(lambda: gateway.rows("SELECT 1 FROM hold WHERE covered > 0"), "a call")
            await asyncio.to_thread(gateway.kill)
            assert not (await cut).finished
        await asyncio.to_thread(gateway.start)
        async with many(gateway) as client:
            assert (await call(client, Ask(script={"tokens": 5}))).status == 200
        states = gateway.rows("SELECT end_state FROM usage ORDER BY tid")
        assert [row["end_state"] for row in states] == ["reclaimed", "complete"]
        assert_refused(await asyncio.to_thread(serve_beside, gateway.database, free_port()))
        await assert_books_right(gateway)
