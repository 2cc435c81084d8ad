"""Proof of tokens: one refresh for all who wait and all processes, quarantine, and what ends an account."""

import asyncio
from dataclasses import replace

import pytest
import structlog

from tests.relay.signing_in import HOUR_MS, START_MS, Stage, until, value
from tests.services.control_plane import database_url, engine, secrets
from tests.services.token_server import token_server
from tollbridge.notify.kinds import Kind
from tollbridge.relay.effects import QUARANTINED
from tollbridge.relay.tokens import AHEAD_MS, QUARANTINE_MS
from tollbridge.relay.verdicts import of_failure, of_status
from tollbridge.storage.engine import open_engine
from tollbridge.upstreams.complaints import UpstreamComplaint
from tollbridge.upstreams.failures import NoToken

__all__ = ["database_url", "engine", "secrets"]
TEN_MINUTES_MS = 600_000
REFUSED = of_status(401, UpstreamComplaint("no", None, None), None)
EMBEDDED = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def stage(engine, secrets):
    async with token_server() as server:
        stage = Stage(engine, secrets, server)
        yield stage
        await stage.close()


async def no_token(tokens, account) -> float:
    with pytest.raises(NoToken) as caught:
        await tokens.token(account)
    return caught.value.for_s


async def test_fifty_calls_on_an_expired_token_are_one_refresh(stage):
    await stage.put(access_token="old", expires_ms=START_MS)
    tokens = stage.process()
    stage.server.gate.clear()
    waiting = [asyncio.create_task(value(tokens, stage.account)) for _ in range(50)]
    await until(lambda: stage.server.count == 1)
    # Who gives up waiting takes nobody's refresh away.
    waiting.pop().cancel()
    stage.server.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"access-1"}
    assert await value(tokens, stage.account) == "access-1"
    assert stage.server.asked == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "client"}
    ]
    row = await stage.row()
    assert (row.refresh, row.access, row.expires_ms, row.held) == (
        *("refresh-1", "access-1", START_MS + HOUR_MS, False),
    )


async def test_two_processes_never_both_refresh(stage, database_url):
    await stage.put()
    other = open_engine(database_url)
    one, two = stage.process(), stage.process(other)
    for number in range(1, 4):
        stage.server.gate.clear()
        waiting = [asyncio.create_task(value(tokens, stage.account)) for tokens in [one, two] * 5]
        await until(lambda number=number: stage.server.count == number)
        # The other one has had time to look, and looked again.
        await asyncio.sleep(0.1)
        stage.server.gate.set()
        assert set(await asyncio.gather(*waiting)) == {f"access-{number}"}
        assert stage.server.count == number
        stage.clock.now_ms += HOUR_MS
    await other.dispose()


async def test_quarantine_lasts_exactly_ten_minutes_for_everybody(stage, database_url):
    await stage.put()
    stage.server.answers = [(503, {"error": "CANARY"})]
    other = open_engine(database_url)
    one, two = stage.process(), stage.process(other)
    assert await no_token(one, stage.account) == 600
    assert QUARANTINE_MS == TEN_MINUTES_MS
    row = await stage.row()
    assert (row.quarantined_until_ms, row.failure) == (START_MS + TEN_MINUTES_MS, "status_503")
    assert [alarm[:2] for alarm in stage.alarms] == [(Kind.ACCOUNT_DISABLED, "main/account 1")]
    stage.clock.now_ms += TEN_MINUTES_MS - 1
    assert await no_token(one, stage.account) == await no_token(two, stage.account) == 0.001
    assert stage.server.count == 1
    stage.clock.now_ms += 1
    assert await value(two, stage.account) == await value(one, stage.account) == "access-2"
    assert stage.server.count == 2
    # Nothing of it is left.
    assert ((await stage.row()).quarantined_until_ms, (await stage.row()).failure) == (0, "")
    assert (await stage.standing())[0] == ""
    await other.dispose()


async def test_what_cannot_be_mended_disables_the_account_and_alerts(stage):
    await stage.put(refresh_token="revoked")
    before = (await stage.standing())[1]
    tokens = stage.process()
    assert await no_token(tokens, stage.account) == 600
    reason, version = await stage.standing()
    # The gateways load the catalogue again for it.
    assert (reason, version > before) == ("oauth: invalid_grant", True)
    [(kind, subject, detail)] = stage.alarms
    assert (kind, subject) == (Kind.ACCOUNT_DISABLED, "main/account 1")
    assert "invalid_grant" in detail and "CANARY" not in detail
    await no_token(tokens, stage.account)
    assert stage.server.count == 1
    # An operator signs in again.
    await stage.put(refresh_token="refresh-0")
    assert (await stage.standing())[0] == ""
    again = replace(stage.account, recovered_ms=START_MS)
    assert await value(tokens, again) == "access-2"


@EMBEDDED
async def test_a_token_that_is_fresh_is_looked_up_and_nothing_else(stage):
    await stage.put_good()
    tokens = stage.process()
    first = await tokens.token(stage.account)
    await stage.engine.dispose()
    stage.clock.now_ms += HOUR_MS - AHEAD_MS - 1
    assert await tokens.token(stage.account) is first
    # A new snapshot in which nothing of the account has changed.
    assert await tokens.token(replace(stage.account)) is first
    assert (first.value, stage.server.count) == ("access-0", 0)
    assert "access-0" not in repr(first)


@EMBEDDED
@pytest.mark.parametrize(
    ("life_ms", "ahead_ms"), [(HOUR_MS, AHEAD_MS), (600_000, 120_000), (5_000, 1_000)]
)
async def test_it_is_replaced_ahead_while_the_old_one_serves(stage, life_ms, ahead_ms):
    await stage.put_good(life_ms)
    tokens = stage.process()
    await tokens.token(stage.account)
    stage.server.gate.clear()
    stage.clock.now_ms += life_ms - ahead_ms - 1
    assert await value(tokens, stage.account) == "access-0"
    assert stage.server.count == 0
    stage.clock.now_ms += 1
    for _ in range(9):
        assert await value(tokens, stage.account) == "access-0"
    await until(lambda: stage.server.count == 1)
    assert await value(tokens, stage.account) == "access-0"
    stage.server.gate.set()
    await tokens.close()
    assert await value(tokens, stage.account) == "access-1"
    assert stage.server.count == 1


@EMBEDDED
async def test_a_good_token_serves_while_its_replacement_is_in_quarantine(stage):
    await stage.put_good()
    stage.server.answers = [None]
    tokens = stage.process()
    await tokens.token(stage.account)
    stage.clock.now_ms += HOUR_MS - AHEAD_MS
    await tokens.token(stage.account)
    await until(lambda: bool(stage.alarms))
    await tokens.close()
    stage.clock.now_ms += AHEAD_MS - 1
    assert await value(tokens, stage.account) == "access-0"
    stage.clock.now_ms += 1
    assert await no_token(tokens, stage.account) == 300
    assert stage.server.count == 1


async def test_a_refused_token_is_replaced_once(stage):
    await stage.put_good()
    tokens = stage.process()
    first = await tokens.token(stage.account)
    for _ in range(5):
        # Calls that ran together are all told the same; it is nobody's fault.
        assert tokens.judged(stage.account, first, REFUSED).effect is None
    assert await value(tokens, stage.account) == "access-1"
    assert tokens.judged(stage.account, first, REFUSED).effect is None
    second = await tokens.token(stage.account)
    # It was not the token then.
    assert tokens.judged(stage.account, second, REFUSED).effect is QUARANTINED
    assert await value(tokens, stage.account) == "access-1"
    assert stage.server.count == 1
    stage.clock.now_ms += TEN_MINUTES_MS
    assert tokens.judged(stage.account, second, REFUSED).effect is None
    assert await value(tokens, stage.account) == "access-2"


async def test_a_token_that_another_process_has_replaced_is_not_replaced_again(stage):
    await stage.put_good()
    one, two = stage.process(), stage.process()
    first = await one.token(stage.account)
    assert await two.token(stage.account) == first
    assert one.refused(stage.account, first)
    assert await value(one, stage.account) == "access-1"
    assert two.refused(stage.account, first)
    assert await value(two, stage.account) == "access-1"
    assert stage.server.count == 1


@EMBEDDED
async def test_other_failures_say_nothing_of_the_token(stage):
    await stage.put_good()
    tokens = stage.process()
    token = await tokens.token(stage.account)
    for status in (400, 402, 403, 404, 429, 500, 529):
        verdict = of_status(status, UpstreamComplaint("no", None, None), None)
        assert tokens.judged(stage.account, token, verdict) is verdict
    assert tokens.judged(stage.account, None, REFUSED) is REFUSED
    assert (await value(tokens, stage.account), stage.server.count) == ("access-0", 0)


@EMBEDDED
async def test_a_lease_whose_holder_died_is_taken_over_when_it_ends(stage):
    await stage.put()
    died, tokens = stage.process(lease_ms=300), stage.process()
    row = await stage.row()
    assert await died._lease(row)
    assert await value(tokens, stage.account) == "access-1"
    assert stage.server.count == 1


@EMBEDDED
async def test_who_signs_in_anew_meanwhile_is_not_overwritten(stage):
    await stage.put()
    tokens = stage.process()
    stage.server.gate.clear()
    waiting = asyncio.create_task(no_token(tokens, stage.account))
    await until(lambda: stage.server.count == 1)
    await stage.put(refresh_token="refresh-new")
    stage.server.gate.set()
    await waiting
    row = await stage.row()
    assert (row.refresh, row.access, row.failure) == ("refresh-new", "", "")
    stage.server.valid = "refresh-new"
    assert await value(tokens, stage.account) == "access-2"


@EMBEDDED
async def test_an_old_failure_does_not_disable_who_signed_in_anew(stage):
    await stage.put(refresh_token="revoked")
    tokens = stage.process()
    stage.server.gate.clear()
    waiting = asyncio.create_task(no_token(tokens, stage.account))
    await until(lambda: stage.server.count == 1)
    await stage.put()
    stage.server.gate.set()
    await waiting
    assert (await stage.standing())[0] == "" and stage.alarms == []
    assert await value(tokens, stage.account) == "access-2"


@EMBEDDED
async def test_the_end_of_a_process_waits_for_what_is_rotated(stage):
    await stage.put()
    tokens = stage.process()
    stage.server.gate.clear()
    waiting = asyncio.create_task(value(tokens, stage.account))
    await until(lambda: stage.server.count == 1)
    waiting.cancel()
    ending = asyncio.create_task(tokens.close())
    await asyncio.sleep(0)
    stage.server.gate.set()
    await ending
    assert (await stage.row()).refresh == "refresh-1"


async def broken(stage, *, mended: bool) -> None:
    """Let the database refuse every new version of a token, or take them again."""
    statement = (
        "DROP TRIGGER full"
        if mended
        else (
            "CREATE TRIGGER full BEFORE UPDATE OF version ON account_tokens"
            " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    )
    async with stage.engine.begin() as connection:
        await connection.exec_driver_sql(statement)


@EMBEDDED
@pytest.mark.parametrize("tries", [1, 5])
async def test_a_rotated_token_is_stored_as_soon_as_the_database_takes_it(stage, tries):
    paused: list[float] = []

    async def pause(for_s: float) -> None:
        paused.append(for_s)
        if len(paused) == tries:
            await broken(stage, mended=True)

    await stage.put()
    await broken(stage, mended=False)
    assert await value(stage.process(pause=pause), stage.account) == "access-1"
    assert ((await stage.row()).refresh, len(paused)) == ("refresh-1", tries)
    assert paused == sorted(paused)


@EMBEDDED
async def test_one_that_cannot_be_stored_serves_this_process_at_least(stage):
    paused: list[float] = []

    async def pause(for_s: float) -> None:
        paused.append(for_s)

    await stage.put()
    await broken(stage, mended=False)
    tokens = stage.process(pause=pause)
    assert await value(tokens, stage.account) == "access-1"
    assert ((await stage.row()).refresh, sum(paused) < 20) == ("refresh-0", True)
    assert await value(tokens, stage.account) == "access-1"
    assert stage.server.count == 1


@EMBEDDED
async def test_an_account_without_a_way_to_sign_in_has_no_token(stage):
    tokens = stage.process()
    assert await no_token(tokens, stage.account) == 0
    await stage.put()
    stranger = replace(stage.account, id=2)
    assert await no_token(tokens, stranger) == 0
    assert stage.alarms == []


@EMBEDDED
async def test_private_addresses_are_dialled_only_where_the_site_says_so(stage):
    await stage.put()
    stage.private = False
    assert await no_token(stage.process(), stage.account) == 600
    assert (stage.server.count, (await stage.row()).failure) == (0, "refused_address")


@EMBEDDED
async def test_no_token_reaches_a_log_an_error_or_an_alarm(stage):
    await stage.put(client_secret="hush-hush")
    stage.server.answers = [(200, b"CANARY"), (400, {"error": "invalid_grant", "x": "CANARY"})]
    tokens = stage.process()
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(NoToken) as caught:
            await tokens.token(stage.account)
        stage.clock.now_ms += TEN_MINUTES_MS
        await no_token(tokens, stage.account)
    assert len(logs) == len(stage.alarms) == 2
    told = repr(
        (logs, stage.alarms, caught.value, str(caught.value), vars(tokens), await stage.row())
    )
    for secret in ("CANARY", "refresh-0", "access-", "hush-hush"):
        assert secret not in told


def test_having_no_token_is_tried_elsewhere_and_held_for_as_long_as_it_lasts():
    verdict = of_failure(NoToken(90))
    assert (verdict.outcome, verdict.elsewhere) == ("signed_out", True)
    assert verdict.effect is not None
    assert (verdict.effect.for_s, verdict.effect.transient) == (90, False)
    assert of_failure(NoToken()).effect is None
