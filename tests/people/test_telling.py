"""Letters go to users in their own language, else in the site's, and to no address that is none."""

from sqlalchemy import select

from tests.services.at_the_door import letters
from tests.services.pages import House
from tollbridge.notify.letters import letter
from tollbridge.people.telling import Voice, tell
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import working


async def test_a_letter_is_in_the_language_of_its_reader(house: House):
    cases = (
        ("ann@example.com", None, "en"),
        ("bob@example.com", None, "zh_Hans"),
        ("eve@example.com", "zh_Hans", "en"),
        ("no address", None, "en"),
    )
    for email, language, spoken in cases:
        user_id = await house.user(email, language=language)
        async with working(house.engine) as connection:
            query = select(users).where(users.c.id == user_id)
            user = (await connection.execute(query)).mappings().one()
            await tell(connection, user, Voice("Gate", spoken), "totp_changed", what="on")
    posted = await letters(house)
    assert [mail["to"] for mail in posted] == [email for email, _, _ in cases[:3]]
    for mail, (email, language, spoken) in zip(posted, cases, strict=False):
        expected = letter("totp_changed", language or spoken, email, "Gate", what="on")
        assert mail["text"] == expected.text
