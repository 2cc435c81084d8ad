"""The pages of keys: a secret is shown once, and nobody sees or touches what is somebody else's."""

import re
from typing import Any

import httpx2
from sqlalchemy import insert, select, update

from tests.people.stock import STOCK
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.identity.keys import KeyStore
from tollbridge.people.keys import OwnKey, list_keys
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import api_keys, change
from tollbridge.storage.unit_of_work import reading, writing

MINTED = re.compile(r"sk-tb-[0-9A-Za-z]{46}")


async def stock(house: House) -> tuple[int, int]:
    """Give the house two channels, one of them not for everybody; return their ids."""
    await apply(house.engine, house.secrets, STOCK, environ={})
    await house.refresh()
    named = house.snapshot.channels_by_name
    return named["main"].id, named["vault"].id


async def make(browser: httpx2.AsyncClient, **fields: str) -> tuple[httpx2.Response, str]:
    """Make a key by the form; return the answer and the secret in it."""
    answer = await browser.post("/console/keys", data={"name": "one", "channel": "auto", **fields})
    found = MINTED.search(answer.text)
    return answer, found.group() if found else ""


async def only_key(house: House, user_id: int) -> OwnKey:
    async with reading(house.engine) as connection:
        [key] = await list_keys(connection, user_id)
    return key


async def test_a_key_is_made_and_its_secret_shown_once(house: House) -> None:
    main, _ = await stock(house)
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        assert "No keys yet" in (await browser.get("/console/keys")).text
        form = await browser.get("/console/keys/new")
        assert "main" in form.text and "\u00d70.25" in form.text and "vault" not in form.text
        answer, secret = await make(browser, channel=str(main), limit="5", models="gpt-test")
        key = await only_key(house, user_id)
        pages = [
            (await browser.get(path)).text for path in ("/console/keys", f"/console/keys/{key.id}")
        ]
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert (
        f"/console/keys/{key.id}/first-call" in answer.text
        and "https://site.test/v1" in answer.text
    )
    assert await KeyStore(house.engine, house.secrets).find(secret.encode()) is not None
    for page in pages:
        assert secret not in page and f"…{secret[-6:]}" in page and "$0.00" in page
    assert "$0.00 of $5.00" in pages[0] and "YOUR_API_KEY" in pages[1]


async def test_a_faulty_form_comes_back_with_what_was_typed(house: House) -> None:
    _, hidden = await stock(house)
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        answer, secret = await make(
            browser, name="", channel=str(hidden), limit="lots", expires="soon", rpm="x", ips="home"
        )
        assert (answer.status_code, secret) == (422, "")
        for text in ("amount in dollars", "a day such as", "whole number", 'value="lots"'):
            assert text in answer.text, text
        answer, secret = await make(browser, name="", channel=str(hidden), ips="home", models="no")
        assert (answer.status_code, secret) == (422, "")
        for text in ("Give the key a name", "not there for you", "Enter addresses", "home"):
            assert text in answer.text, text
        answer, _ = await make(browser, channel="9" * 40)
        assert answer.status_code == 422
    async with reading(house.engine) as connection:
        assert await list_keys(connection, user_id) == []


async def test_a_key_is_changed_switched_rotated_and_deleted(house: House) -> None:
    main, _ = await stock(house)
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        _, secret = await make(browser, expires="2090-01-31")
        key = await only_key(house, user_id)
        page = f"/console/keys/{key.id}"
        assert 'value="2090-01-31"' in (await browser.get(page)).text
        form = {"name": "two", "channel": str(main), "budget": "3", "budget_period": "week"}
        assert (await browser.post(page, data=form)).status_code == 303
        changed = await only_key(house, user_id)
        assert (changed.wish.name, changed.wish.channel_id, changed.wish.expires_ms) == (
            *("two", main, None),
        )
        assert (changed.wish.budget, changed.wish.budget_period) == (3_000_000_000, "week")
        assert "Spent this week" in (await browser.get(page)).text
        assert (await browser.post(page, data={**form, "name": "#1"})).status_code == 422

        answer = await browser.post(f"{page}/state", data={"enabled": "0"})
        assert answer.headers["location"] == page and not (await only_key(house, user_id)).enabled
        assert "Disabled" in (await browser.get(page)).text
        await browser.post(f"{page}/state", data={"enabled": "1"})
        assert (await only_key(house, user_id)).enabled

        assert (await browser.post(f"{page}/rotate", data={"grace": "7"})).status_code == 422
        answer = await browser.post(f"{page}/rotate", data={"grace": "3600"})
        found = MINTED.search(answer.text)
        assert found and found.group() != secret and "works until" in answer.text
        assert "first-call" not in answer.text
        store = KeyStore(house.engine, house.secrets)
        assert await store.find(secret.encode()) and await store.find(found.group().encode())

        assert (await browser.post(f"{page}/delete", data={})).headers[
            "location"
        ] == "/console/keys"
        assert (await browser.get(page)).status_code == 404
        assert "two" not in (await browser.get("/console/keys")).text


async def test_the_relay_hears_of_every_change(house: House) -> None:
    await stock(house)
    user_id = await house.user()

    async def version() -> int:
        async with reading(house.engine) as connection:
            return int((await connection.execute(select(change.c.version))).scalar_one())

    async with house.browser(user_id) as browser:
        seen = [await version()]
        await make(browser)
        page = f"/console/keys/{(await only_key(house, user_id)).id}"
        seen.append(await version())
        for path, data in (
            (page, {"name": "two", "channel": "auto"}),
            (f"{page}/state", {"enabled": "0"}),
            (f"{page}/rotate", {"grace": "0"}),
            (f"{page}/delete", {}),
        ):
            await browser.post(path, data=data)
            seen.append(await version())
    assert seen == sorted(set(seen))


async def test_what_is_somebody_elses_or_nobodys_is_not_there(house: House) -> None:
    await stock(house)
    ann, bob = await house.user(), await house.user("bob@example.com")
    async with house.browser(ann) as browser:
        await make(browser)
    before = await only_key(house, ann)
    form: dict[str, Any] = {"name": "x", "channel": "auto", "grace": "0", "enabled": "0"}
    async with house.browser(bob) as browser:
        for name in (str(before.id), "7", "x", "-1", "9" * 19, "9" * 30, "%00"):
            page = f"/console/keys/{name}"
            for answer in (
                await browser.get(page),
                await browser.get(f"{page}/first-call"),
                *[
                    await browser.post(f"{page}{action}", data=form)
                    for action in ("", "/state", "/rotate", "/delete")
                ],
            ):
                assert answer.status_code == 404, (answer.request.method, answer.request.url)
        assert "one" not in (await browser.get("/console/keys")).text
    assert await only_key(house, ann) == before


async def test_the_first_call_turns_green_and_ends_the_asking(house: House) -> None:
    main, _ = await stock(house)
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        await make(browser, name="a & b")
        key = await only_key(house, user_id)
        path, asks = f"/console/keys/{key.id}/first-call", {"hx-request": "true"}
        waiting = (await browser.get(path, headers=asks)).text
        assert "hx-trigger" in waiting and "Waiting for your first call" in waiting
        async with writing(house.engine) as connection:
            await connection.execute(
                insert(call_index).values(
                    tid=new_tid(), user_id=user_id, key_id=key.id, channel_id=main,
                    model="gpt-test", status=200, charge=1,
                )
            )  # fmt: skip
        arrived = (await browser.get(path, headers=asks)).text
        assert "hx-" not in arrived and "/console/usage?key=a%20%26%20b" in arrived
        assert "<html" not in arrived
        assert (await browser.get(path)).headers["location"] == f"/console/keys/{key.id}"


async def test_states_are_named(house: House) -> None:
    await stock(house)
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        await make(browser, limit="1")
        for columns, text in (
            ({"limit_excess_nano": 1_000_000_000}, "Limit used up"),
            ({"expires_ms": now_ms() - 1}, "Expired"),
            ({"enabled": False}, "Disabled"),
        ):
            async with writing(house.engine) as connection:
                await connection.execute(update(api_keys).values(**columns))
            assert text in (await browser.get("/console/keys")).text


async def test_secrets_are_not_made_by_the_hundred_a_minute(house: House) -> None:
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        codes = [(await make(browser, name=f"k{n}"))[0].status_code for n in range(31)]
    assert codes == [200] * 30 + [429]
