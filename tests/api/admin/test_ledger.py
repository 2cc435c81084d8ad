"""Proof that operators see how the books stand, and that asking for a proof is written down."""

from tests.api.admin.office import Office

PATH = "/api/admin/ledger"


async def test_the_books_are_shown_and_proved(each_office: Office):
    await each_office.shop.reserve(250_000_000)
    async with each_office.client() as client:
        before = (await client.get(PATH)).json()
        assert (before["balance"], before["reserved"]) == ("6.00", "0.25")
        assert (before["running_calls"], before["reserved_by_calls"]) == (1, "0.25")
        assert before["proof"] is None
        verdict = (await client.post(f"{PATH}/check")).json()
        assert verdict["lines"] >= 2
        after = (await client.get(PATH)).json()
        [line] = (await client.get("/api/admin/audit?action=ledger.check")).json()["items"]
    assert (after["checked_at"] is not None) is verdict["right"] or verdict["findings"]
    assert line["via"] == "api"
