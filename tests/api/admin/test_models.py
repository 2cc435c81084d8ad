"""Proof that models and list prices are made and changed as the configuration file would."""

import pytest
from sqlalchemy import select

from tests.api.admin.office import Office, kind, problem
from tollbridge.storage.tables import prices
from tollbridge.storage.unit_of_work import reading

PATH = "/api/admin/models"
PRICE = {
    "rates": {"input": "2.00", "output": "8.00"},
    "items": {"web_search": "0.01"},
    "tiers": [{"above": 200_000, "rates": {"input": "4.00", "output": "12.00"}}],
    "images": [],
    "services": [{"name": "flex", "rates": {"input": "1.00", "output": "4.00"}, "tiers": []}],
}
WISH = {"name": "new-model", "context": 1000, "max_output": 100, "price": PRICE}


async def test_a_model_from_its_making(each_office: Office):
    async with each_office.client() as client:
        reply = await client.post(PATH, json=WISH)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert {name: made[name] for name in WISH} == WISH
        path = f"{PATH}/{made['id']}"
        assert (await client.get(path)).json() == made
        [found] = (await client.get(f"{PATH}?name=new-")).json()["items"]
        assert found == made
        kept = (await client.patch(path, json={"context": 2000, "enabled": False})).json()
        assert (kept["context"], kept["enabled"], kept["price"]) == (2000, False, PRICE)
        later = {"price": {"rates": {"input": "1.00", "output": "1.00"}}}
        moment = {"price_from": "2099-01-01T00:00:00.000Z"}
        told = (await client.patch(path, json=later | moment)).json()
        assert told["price"] == PRICE
        assert [one["starts_at"] for one in told["later"]] == [moment["price_from"]]
        ended = {"starts_at": moment["price_from"]}
        gone = await client.post(f"{path}/prices/cancel", json=ended)
        assert gone.json()["later"] == []
        assert kind(await client.post(f"{path}/prices/cancel", json=ended))[0] == 404
        unpriced = (await client.patch(path, json={"price": None})).json()
        assert unpriced["price"] is None
        log = (await client.get("/api/admin/audit?subject_kind=model")).json()["items"]
        assert len(log) >= 5 and {one["via"] for one in log} == {"api"}


async def test_a_price_ends_when_the_next_begins(office: Office):
    async with office.client() as client:
        made = (await client.post(PATH, json=WISH)).json()
        wish = {"price": {"rates": {"input": "3.00", "output": "9.00"}}}
        await client.patch(f"{PATH}/{made['id']}", json=wish)
    async with reading(office.shop.engine) as connection:
        query = select(prices).where(prices.c.model_id == int(made["id"]))
        rows = (await connection.execute(query.order_by(prices.c.id))).mappings().all()
    assert rows[0]["valid_to_ms"] == rows[-1]["valid_from_ms"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "gpt-5.4"}, "body.name"),
        ({"name": "a*b"}, "body.name"),
        ({"price": {"rates": {"input": "1.00"}}}, "body.input"),
        ({"price": {"rates": {"name": "1.00"}}}, "body.price.rates"),
        ({"price": {"items": {"context": "1.00"}}}, "body.price.items"),
        ({"efforts": ["enormous"]}, "body.efforts"),
        ({"context": 0}, "body.context"),
    ],
)
async def test_what_cannot_be_is_named(office: Office, more, field: str):
    async with office.client() as client:
        reply = await client.post(PATH, json=WISH | more)
        assert kind(reply) == (422, "invalid")
        assert [one["field"] for one in problem(reply)["errors"]] == [field]
        assert kind(await client.patch(f"{PATH}/7", json={"context": 5})) == (404, "not-found")
