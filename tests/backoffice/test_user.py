"""The page of one user: staff look, admins do; money moves once a form, and all is written down."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.people.operators import available, noted, row_of, version
from tests.services.pages import House
from tollbridge.catalog.groups import match_groups
from tollbridge.catalog.plan import GroupPlan
from tollbridge.core.money import Multiplier
from tollbridge.identity.sessions import PROOF_MS
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import job

DOLLAR = 10**9
FORMS: dict[str, dict[str, str]] = {
    "group": {"group": "friends"},
    "limits": {"rpm": "60", "tpm": "", "concurrency": "3"},
    "role": {"role": "staff"},
    "credit": {"amount": "2.50", "credit_reason": "a gift", "form_id": "f" * 24},
    "suspend": {"suspend_reason": "spam"},
    "unsuspend": {"suspend_reason": "a mistake"},
    "sign-out": {},
    "reset": {},
}


async def sent(house: House, who: int, path: str, **fields: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(path, data=fields)


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


def form_id(text: str) -> str:
    [found] = re.findall(r'name="form_id" value="([^"]+)"', text)
    return str(found)


@pytest.mark.parametrize("role", ["user", "staff"])
async def test_nobody_but_admins_does_anything(house: House, role: str) -> None:
    ann, who = await house.user(credit=DOLLAR), await house.user("who@example.com", role)
    for name, fields in FORMS.items():
        answer = await sent(house, who, f"/backoffice/users/{ann}/{name}", **fields)
        assert answer.status_code == 404, name
    async with house.browser(who) as browser:
        assert (await browser.get(f"/backoffice/users/{ann}/role")).status_code == 404
    assert await noted(house) == []
    assert await available(house, ann) == DOLLAR


async def test_everything_is_written_down(house: House) -> None:
    ann, boss = await house.user(), await boss_of(house)
    actions = []
    for name, fields in FORMS.items():
        answer = await sent(house, boss, f"/backoffice/users/{ann}/{name}", **fields)
        assert answer.status_code == 303, (name, answer.text)
        assert answer.headers["location"] == f"/backoffice/users/{ann}"
        actions = [line[0] for line in await noted(house)]
    assert actions == [
        "user.group", "user.limits", "user.role", "user.credit", "user.suspend",
        "user.unsuspend", "user.sessions", "user.reset",
    ]  # fmt: skip
    row = await row_of(house, ann)
    assert (row["group_name"], row["rpm"], row["concurrency"]) == ("friends", 60, 3)
    assert (row["role"], row["status"]) == ("staff", "active")
    assert await available(house, ann) == 2_500_000_000
    async with house.browser(boss) as browser:
        text = (await browser.get(f"/backoffice/users/{ann}")).text
    for action in actions:
        assert action in text


async def test_staff_look_and_see_no_form(house: House) -> None:
    ann, staff = await house.user(credit=DOLLAR), await house.user("staff@example.com", "staff")
    async with house.browser(staff) as browser:
        text = (await browser.get(f"/backoffice/users/{ann}")).text
    assert "ann@example.com" in text and "$1.00" in text
    assert f"/backoffice/users/{ann}/" not in text


@pytest.mark.parametrize("number", ["1", "x", "-1", "9" * 30, "%00"])
async def test_who_is_not_there(house: House, number: str) -> None:
    boss = await boss_of(house)
    async with house.browser(boss) as browser:
        assert (await browser.get(f"/backoffice/users/{number}")).status_code == 404
        for name, fields in FORMS.items():
            answer = await browser.post(f"/backoffice/users/{number}/{name}", data=fields)
            assert answer.status_code == 404, name


async def test_a_deleted_account_can_only_be_looked_at(house: House) -> None:
    gone, boss = await house.user("gone@example.com", deleted_ms=1), await boss_of(house)
    async with house.browser(boss) as browser:
        text = (await browser.get(f"/backoffice/users/{gone}")).text
        assert "Deleted" in text and f"/backoffice/users/{gone}/" not in text
        for name, fields in FORMS.items():
            answer = await browser.post(f"/backoffice/users/{gone}/{name}", data=fields)
            assert answer.status_code == 404, name


async def test_a_form_sent_twice_moves_money_once(house: House) -> None:
    ann, boss = await house.user(), await boss_of(house)
    path = f"/backoffice/users/{ann}"
    async with house.browser(boss) as browser:
        fields = {
            "amount": "2",
            "credit_reason": "x",
            "form_id": form_id((await browser.get(path)).text),
        }
        answers = [await browser.post(f"{path}/credit", data=fields) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303]
        other = await browser.post(f"{path}/credit", data=fields | {"amount": "3"})
        assert other.status_code == 422 and "sent before" in other.text
        fresh = fields | {"form_id": form_id((await browser.get(path)).text)}
        assert (await browser.post(f"{path}/credit", data=fresh)).status_code == 303
    assert await available(house, ann) == 4 * DOLLAR
    assert len(await noted(house)) == 2


async def test_what_is_held_or_spent_cannot_be_taken(house: House) -> None:
    ann, boss = await house.user(credit=5 * DOLLAR), await boss_of(house)
    async with working(house.engine) as connection:
        await connection.execute(
            purse.update().values(held=2 * DOLLAR).where(purse.c.owner_id == ann)
        )
    fields = {"credit_reason": "too much", "form_id": "f" * 24}
    answer = await sent(house, boss, f"/backoffice/users/{ann}/credit", amount="-3.01", **fields)
    assert answer.status_code == 422
    assert "At most $3.00 can be taken" in answer.text and 'value="-3.01"' in answer.text
    answer = await sent(house, boss, f"/backoffice/users/{ann}/credit", amount="-3", **fields)
    assert answer.status_code == 303
    assert await available(house, ann) == 2 * DOLLAR


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("group", {"group": ""}),
        ("group", {"group": "x" * 65}),
        ("limits", {"rpm": "-1"}),
        ("limits", {"tpm": "many"}),
        ("limits", {"concurrency": "99999999"}),
        ("credit", {"amount": "0"}),
        ("credit", {"amount": "1e3"}),
        ("credit", {"amount": "0.0000000001"}),
        ("credit", {"amount": "10000001"}),
        ("credit", {"amount": ""}),
        ("credit", {"credit_reason": ""}),
        ("credit", {"form_id": ""}),
        ("credit", {"form_id": "'; DROP TABLE"}),
        ("suspend", {"suspend_reason": " "}),
        ("role", {"role": "owner"}),
    ],
)
async def test_what_a_form_refuses(house: House, name: str, fields: dict[str, str]) -> None:
    ann, boss = await house.user(), await boss_of(house)
    answer = await sent(house, boss, f"/backoffice/users/{ann}/{name}", **FORMS[name] | fields)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert await noted(house) == []


async def test_a_suspended_user_is_out(house: House) -> None:
    ann, boss = await house.user(), await boss_of(house)
    await house.session(ann)
    async with house.browser(boss) as browser:
        before = await version(house)
        fields = {"suspend_reason": "spam & more"}
        await browser.post(f"/backoffice/users/{ann}/suspend", data=fields)
        # Servers forget the user's keys when the version moves.
        assert await version(house) == before + 1
    async with reading(house.engine) as connection:
        mine = select(func.count()).where(sessions.c.user_id == ann)
        assert (await connection.execute(mine)).scalar_one() == 0
        assert "spam" in (await connection.execute(select(job.c.payload))).scalar_one()
    async with house.browser(boss) as browser:
        text = (await browser.get(f"/backoffice/users/{ann}")).text
    assert "Suspended: spam &amp; more" in text and f"{ann}/unsuspend" in text


async def test_an_admin_always_stays(house: House) -> None:
    boss = await boss_of(house)
    path = f"/backoffice/users/{boss}"
    answer = await sent(house, boss, f"{path}/suspend", suspend_reason="me")
    assert answer.status_code == 422
    answer = await sent(house, boss, f"{path}/role", role="user")
    assert answer.status_code == 422 and "last active admin" in answer.text
    assert (await row_of(house, boss))["role"] == "admin"


async def test_a_role_needs_a_proof_of_a_moment_ago(house: House) -> None:
    ann, boss = await house.user(), await boss_of(house)
    path = f"/backoffice/users/{ann}/role"
    async with house.browser(boss) as browser:
        assert (await browser.get(path)).status_code == 200
        async with working(house.engine) as connection:
            old = sessions.c.proved_ms - PROOF_MS
            await connection.execute(sessions.update().values(proved_ms=old))
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/prove")
        assert (await browser.post(path, data={"role": "admin"})).headers["location"][
            :6
        ] == "/prove"
    assert (await row_of(house, ann))["role"] == "user"


async def test_groups_that_channels_name_are_known(house: House) -> None:
    boss, ann = await boss_of(house), await house.user()
    async with working(house.engine) as connection:
        await match_groups(connection, [GroupPlan(1, "friends", Multiplier(1, 2))], prune=False)
    await house.refresh()
    async with house.browser(boss) as browser:
        page = (await browser.get(f"/backoffice/users/{ann}")).text
    assert "Known: default, friends." in page
