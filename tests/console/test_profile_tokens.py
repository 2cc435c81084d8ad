"""Access tokens are shown once, never beyond the role, and another's are not there."""

import re

import pytest

from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.console.profile_tokens import LIVE_MAX
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import TokenStore, add_token, list_tokens
from tollbridge.identity.scopes import ROLE_SCOPES, Scope
from tollbridge.storage.unit_of_work import reading, writing

TOKENS = "/console/profile/tokens"
DAY_MS = 86_400_000
OFFICE = sorted(scope for scope in Scope if scope not in ROLE_SCOPES["user"])


async def count(house: House, user_id: int) -> int:
    async with reading(house.engine) as connection:
        return len(await list_tokens(connection, user_id=user_id))


async def test_a_token_is_shown_once_and_works(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        assert "own:read" in (await browser.get(f"{TOKENS}/new")).text
        data = {"name": "<b>mine", "scopes": "own:read", "life": "30"}
        made = await browser.post(TOKENS, data=data)
        assert made.status_code == 200 and made.headers["cache-control"] == "no-store"
        token = re.search(r"tbp_[0-9A-Za-z]+", made.text)
        assert token and "<b>mine" not in made.text
        listed = await browser.get(TOKENS)
        assert token[0] not in listed.text and token[0][-6:] in listed.text
        found = await TokenStore(house.engine, house.secrets).find(token[0])
        assert found is not None and found.scopes == ("own:read",)
        assert found.expires_ms is not None
        assert abs(found.expires_ms - now_ms() - 30 * DAY_MS) < DAY_MS
        done = await browser.post(f"{TOKENS}/{found.id}/revoke")
        assert done.headers["location"] == TOKENS
        assert "Revoked" in (await browser.get(TOKENS)).text
    found = await TokenStore(house.engine, house.secrets).find(token[0])
    assert found is not None and found.dead(now_ms()) == "revoked"


@pytest.mark.parametrize("scope", [*OFFICE, "nothing", ""])
async def test_a_user_gets_no_scope_beyond_the_role(house: House, scope: str):
    ann = await house.user()
    async with house.browser(ann) as browser:
        data = {"name": "t", "scopes": ["own:read", scope] if scope else [], "life": "0"}
        answer = await browser.post(TOKENS, data=data)
    assert answer.status_code == 422 and await count(house, ann) == 0


async def test_staff_gets_what_staff_may(house: House):
    staff = await house.user(role="staff")
    async with house.browser(staff) as browser:
        page = await browser.get(f"{TOKENS}/new")
        assert "users:read" in page.text and "users:write" not in page.text
        good = {"name": "t", "scopes": "users:read", "life": "0"}
        assert (await browser.post(TOKENS, data=good)).status_code == 200
        for beyond in ("users:write", "*"):
            bad = {**good, "scopes": beyond}
            assert (await browser.post(TOKENS, data=bad)).status_code == 422
    assert await count(house, staff) == 1


@pytest.mark.parametrize("change", [{"name": ""}, {"name": "x" * 65}, {"life": "31"}])
async def test_a_faulty_form_makes_nothing(house: House, change: dict[str, str]):
    ann = await house.user()
    async with house.browser(ann) as browser:
        data = {"name": "t", "scopes": "own:read", "life": "30", **change}
        answer = await browser.post(TOKENS, data=data)
    assert answer.status_code == 422 and await count(house, ann) == 0


async def test_anothers_token_is_not_there(house: House):
    ann, eve = await house.user(), await house.user("eve@example.com")
    async with writing(house.engine) as connection:
        token_id, token = await add_token(
            connection, house.secrets, ann, "hers", {Scope.OWN_READ}, at_ms=now_ms()
        )
    async with house.browser(eve) as browser:
        for wish in (token_id, 0, "x", "9" * 30):
            assert (await browser.post(f"{TOKENS}/{wish}/revoke")).status_code == 404
        assert "hers" not in (await browser.get(TOKENS)).text
    found = await TokenStore(house.engine, house.secrets).find(token)
    assert found is not None and not found.dead(now_ms())


async def test_there_are_not_too_many(house: House):
    ann = await house.user()
    async with writing(house.engine) as connection:
        for n in range(LIVE_MAX):
            await add_token(
                connection, house.secrets, ann, str(n), {Scope.OWN_READ}, at_ms=now_ms()
            )
    async with house.browser(ann) as browser:
        data = {"name": "t", "scopes": "own:read", "life": "30"}
        answer = await browser.post(TOKENS, data=data)
    assert answer.status_code == 422 and await count(house, ann) == LIVE_MAX


@pytest.mark.parametrize(
    ("role", "told"), [("user", []), ("admin", ["token.make", "token.revoke"])]
)
async def test_tokens_of_operators_have_lines_in_the_log(house: House, role: str, told: list[str]):
    who = await house.user(role=role)
    async with house.browser(who) as browser:
        await browser.post(TOKENS, data={"name": "t", "scopes": "own:read", "life": "0"})
        async with reading(house.engine) as connection:
            [made] = await list_tokens(connection, user_id=who)
        for _ in range(2):
            await browser.post(f"{TOKENS}/{made.id}/revoke")
    assert [action for action, _, _ in await noted(house)] == told
