"""What operators do reaches a serving process: keys of who is suspended, credit that was taken."""

import asyncio
from pathlib import Path

from tests.people.operators import BOSS
from tests.services.gateway import chat, running
from tollbridge.core.clock import now_ms
from tollbridge.people.credit import adjust
from tollbridge.people.suspension import suspend, unsuspend
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import working, writing

PATIENCE_S = 10
CALL = "/v1/chat/completions"


async def test_a_suspended_users_keys_are_refused_and_taken_credit_is_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as (gateway, _), gateway.client() as client:

        async def until(status: int) -> str:
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await client.post(CALL, json=chat())).status_code != status:
                    await asyncio.sleep(0.02)
            return answer.text

        await until(200)
        await asyncio.to_thread(gateway.wait_settled)
        [user] = gateway.rows("SELECT id FROM users")
        beside = open_engine(f"sqlite:///{gateway.database}")
        async with writing(beside) as connection:
            assert await suspend(connection, BOSS, user["id"], "spam", now_ms(), site_name="")
        assert "account_suspended" in await until(403)
        async with writing(beside) as connection:
            assert await unsuspend(connection, BOSS, user["id"], "a mistake", now_ms())
        await until(200)
        await asyncio.to_thread(gateway.wait_settled)
        available, held = gateway.wallet()
        assert held == 0
        async with working(beside) as connection:
            done = await adjust(connection, BOSS, user["id"], -available, "over", "r", now_ms())
        assert done.available == 0
        await until(402)
        async with working(beside) as connection:
            await adjust(connection, BOSS, user["id"], available, "sorry", "s", now_ms())
        await until(200)
        await asyncio.to_thread(gateway.wait_settled)
        await beside.dispose()
        await asyncio.to_thread(gateway.verify)
