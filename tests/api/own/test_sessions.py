"""Proof that people see where they are signed in, and end it."""

from tests.api.admin.office import Office, kind
from tests.api.own.people import SECRETS, client_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.sessions import start_session
from tollbridge.storage.unit_of_work import working

PATH = "/api/user/sessions"


async def sign_in(office: Office, who: str) -> None:
    user_id = (await office.shop.key(SECRETS[who])).user_id
    async with working(office.shop.engine) as connection:
        await start_session(
            connection,
            office.shop.secrets,
            user_id,
            "full",
            now_ms(),
            address="192.0.2.7",
            agent="a browser",
        )


async def test_sessions_are_listed_and_ended(each_office: Office):
    for who in ("ada", "ada", "ada", "bob"):
        await sign_in(each_office, who)
    async with client_of(each_office) as client, client_of(each_office, "bob") as other:
        first = (await client.get(f"{PATH}?limit=2")).json()
        rest = (await client.get(first["next"])).json()
        assert [len(first["items"]), len(rest["items"])] == [2, 1]
        assert first["items"][0]["agent"] == "a browser"
        one = f"{PATH}/{first['items'][0]['id']}"
        assert kind(await other.delete(one)) == (404, "not-found")
        assert (await client.delete(one)).status_code == 204
        assert kind(await client.delete(one)) == (404, "not-found")
        assert (await client.delete(PATH)).json() == {"ended": 2}
        assert (await client.get(PATH)).json()["items"] == []
        assert len((await other.get(PATH)).json()["items"]) == 1
