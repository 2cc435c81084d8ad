"""Proof of /api/admin/accounts: every process's states, what operators change, and no secret."""

import pytest
from sqlalchemy import insert, select

from tests.api.admin.office import Office, kind
from tollbridge.catalog.finding import Finding, ProbeRuns
from tollbridge.catalog.loader import load_snapshot
from tollbridge.identity.scopes import Scope
from tollbridge.storage.account_troubles import Held, database_ms, write_troubles
from tollbridge.storage.ledger_tables import node
from tollbridge.storage.tables import accounts, change
from tollbridge.storage.unit_of_work import reading, working

PATH = "/api/admin/accounts"
REFRESH = "a-refresh-token-of-somebody"


async def number(office: Office, name: str = "hidden-account") -> int:
    async with reading(office.shop.engine) as connection:
        query = select(accounts.c.id).where(accounts.c.name == name)
        return (await connection.execute(query)).scalars().first()


async def holds(office: Office, account_id: int, *, dead: bool = False) -> None:
    """One node holds a limit against an account."""
    row = {"id": 5, "name": "gateway:5", "epoch": 1, "beat": 1, "dead": dead}
    async with working(office.shop.engine) as connection:
        await connection.execute(insert(node), [row])
        now_ms = await database_ms(connection)
        held = Held(account_id, "m", "rate_limited", "status_429", "m", now_ms, now_ms + 90_000)
        await write_troubles(connection, 5, [], [held])


async def version(office: Office) -> int:
    async with reading(office.shop.engine) as connection:
        return (await connection.execute(select(change.c.version))).scalar_one()


async def test_an_account_is_shown_with_what_any_node_holds_and_no_secret(each_office: Office):
    one = await number(each_office)
    await holds(each_office, one)
    shown = await each_office.get(f"/accounts/{one}")
    assert (shown["name"], shown["channel"], shown["host"]) == (
        "hidden-account",
        "main",
        "127.0.0.1",
    )
    assert (shown["state"], shown["auth"], shown["enabled"]) == ("parked", "secret", True)
    assert shown["limits"] == {"rpm": 0, "tpm": 0, "concurrency": 0}
    assert shown["sign_in"] is None is shown["disabled_reason"]
    (held,) = shown["troubles"]
    assert held.keys() == {"node_id", "node", "trouble", "model", "reason", "since", "until"}
    assert (held["node"], held["trouble"], held["model"]) == ("gateway:5", "rate_limited", "m")
    assert "upstream" not in str(shown) and "secret" not in shown
    assert isinstance(shown["recent"], list)


async def test_lists_are_pages_with_filters(office: Office):
    one = await number(office)
    await holds(office, one)
    first = await office.get("/accounts", limit=1)
    assert len(first["items"]) == 1 and first["next"].startswith(PATH)
    every = (await office.get("/accounts"))["items"]
    assert [int(each["id"]) for each in every] == sorted(int(each["id"]) for each in every)
    parked = (await office.get("/accounts", state="parked"))["items"]
    assert [each["id"] for each in parked] == [str(one)]
    of_main = (await office.get("/accounts", channel="main"))["items"]
    assert {each["channel"] for each in of_main} == {"main"}
    assert (await office.get("/accounts", channel="none"))["items"] == []


async def test_what_a_dead_node_held_is_not_shown(office: Office):
    one = await number(office)
    await holds(office, one, dead=True)
    shown = await office.get(f"/accounts/{one}")
    assert (shown["state"], shown["troubles"]) == ("active", [])


async def test_recover_disable_enable(each_office: Office):
    one = await number(each_office)
    await holds(each_office, one)
    async with each_office.client(Scope.ACCOUNTS_WRITE) as client:
        before = await version(each_office)
        well = (await client.post(f"{PATH}/{one}/recover")).json()
        assert (well["state"], well["troubles"]) == ("active", [])
        assert well["recovered_at"] is not None
        off = (await client.post(f"{PATH}/{one}/disable", json={"reason": "card expired"})).json()
        assert (off["state"], off["disabled_reason"]) == ("disabled", "card expired")
        assert await version(each_office) == before + 2
        snapshot = await load_snapshot(each_office.shop.engine, each_office.shop.secrets)
        assert one not in {each.id for each in snapshot.channels_by_name["main"].accounts}
        on = (await client.post(f"{PATH}/{one}/enable")).json()
        assert (on["state"], on["disabled_reason"]) == ("active", None)
        snapshot = await load_snapshot(each_office.shop.engine, each_office.shop.secrets)
        assert one in {each.id for each in snapshot.channels_by_name["main"].accounts}
        assert await version(each_office) == before + 3


async def test_what_is_not_there_and_what_is_not_valid(office: Office):
    one = await number(office)
    before = await version(office)
    async with office.client(Scope.ACCOUNTS_READ, Scope.ACCOUNTS_WRITE) as client:
        assert kind(await client.get(f"{PATH}/99")) == (404, "not-found")
        for verb in ("recover", "enable"):
            assert kind(await client.post(f"{PATH}/99/{verb}")) == (404, "not-found")
        reason = {"reason": "why"}
        assert kind(await client.post(f"{PATH}/99/disable", json=reason)) == (404, "not-found")
        for bad in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 201}, {"why": "x"}):
            reply = await client.post(f"{PATH}/{one}/disable", json=bad)
            assert kind(reply) == (422, "invalid")
        assert kind(await client.get(PATH, params={"state": "odd"})) == (422, "invalid")
    # A token of theirs that the making of this one wrote is all that changed.
    assert await version(office) == before + 1


@pytest.mark.parametrize("verb", ["recover", "disable", "enable", "test"])
async def test_who_only_reads_changes_nothing(office: Office, verb):
    one = await number(office)
    async with office.client(Scope.ACCOUNTS_READ) as client:
        reply = await client.post(f"{PATH}/{one}/{verb}", json={})
        assert kind(reply) == (403, "scope-missing")
    async with office.client(Scope.CHANNELS_READ) as client:
        assert kind(await client.get(PATH)) == (403, "scope-missing")


class Probes:
    """Stands for the part of the relay that makes the call."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked: list[tuple[int, str | None]] = []

    async def test(self, account_id, model):
        self.asked.append((account_id, model))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_test_tells_what_it_found(office: Office):
    one = await number(office)
    found = Finding("status_429", 429, 12, "/v1/x", "m", "n", "rate_limited", "model", 90.0, "slow")
    probes = Probes(found)
    async with office.client(Scope.ACCOUNTS_WRITE, test_account=probes.test) as client:
        told = (await client.post(f"{PATH}/{one}/test", json={"model": "m"})).json()
        assert told == {
            "ok": False, "outcome": "status_429", "status": 429, "took_ms": 12, "path": "/v1/x",
            "model": "m", "model_sent": "n", "trouble": "rate_limited", "scope": "model",
            "for_s": 90.0, "said": "slow",
        }  # fmt: skip
        probes.answer = Finding("ok", 200, 3, "/v1/models")
        told = (await client.post(f"{PATH}/{one}/test")).json()
        assert (told["ok"], told["model"], told["trouble"]) == (True, None, None)
        assert probes.asked == [(one, "m"), (one, None)]
        for answer, problem in (
            (ProbeRuns(), (409, "conflict")),
            (ValueError("no such model"), (422, "invalid")),
            (None, (409, "conflict")),
        ):
            probes.answer = answer
            assert kind(await client.post(f"{PATH}/{one}/test")) == problem
        assert kind(await client.post(f"{PATH}/99/test")) == (404, "not-found")
    async with office.client(Scope.ACCOUNTS_WRITE) as client:
        assert kind(await client.post(f"{PATH}/{one}/test")) == (503, "no-tests")


async def test_an_account_signs_in_from_now_on(each_office: Office):
    one = await number(each_office)
    given = {
        "token_url": "http://127.0.0.1:9/token",
        "client_id": "me",
        "refresh_token": REFRESH,
        "client_secret": "another-secret",
    }
    async with each_office.client(Scope.ACCOUNTS_WRITE) as client:
        reply = await client.put(f"{PATH}/{one}/oauth", json=given)
        assert reply.status_code == 200, reply.text
        shown = reply.json()
        assert (shown["auth"], shown["state"]) == ("oauth", "active")
        assert shown["sign_in"] == {"expires": None, "quarantined_until": None, "failure": None}
        assert REFRESH not in reply.text and "another-secret" not in reply.text
        wrong = given | {"token_url": "ftp://nowhere"}
        reply = await client.put(f"{PATH}/{one}/oauth", json=wrong)
        assert kind(reply) == (422, "invalid")
        assert reply.json()["errors"][0]["field"] == "body.token_url"
        assert kind(await client.put(f"{PATH}/99/oauth", json=given)) == (404, "not-found")


async def test_whatever_is_done_to_an_account_is_in_the_log(each_office: Office):
    one = await number(each_office)
    probes = Probes(Finding("ok", 200, 3, "/v1/models"))
    given = {"token_url": "http://127.0.0.1:9/token", "client_id": "me", "refresh_token": REFRESH}
    async with each_office.client(Scope.ACCOUNTS_WRITE, test_account=probes.test) as client:
        for verb, body in (
            ("recover", {}), ("disable", {"reason": "card expired"}), ("enable", {}), ("test", {}),
        ):  # fmt: skip
            assert (await client.post(f"{PATH}/{one}/{verb}", json=body)).status_code == 200
        assert (await client.post(f"{PATH}/99/recover")).status_code == 404
        assert (await client.put(f"{PATH}/{one}/oauth", json=given)).status_code == 200
    log = (await each_office.get("/audit", subject_kind="account"))["items"]
    assert [line["action"] for line in reversed(log)] == [
        "account.recover", "account.disable", "account.enable", "account.test", "account.sign_in",
    ]  # fmt: skip
    assert {(line["actor"], line["subject"]) for line in log} == {
        ("admin@example.com", "main/hidden-account")
    }
    assert "card expired" in str(log) and REFRESH not in str(log)
