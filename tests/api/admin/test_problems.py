"""Proof that every failure under /api/admin is a problem, and that none tells what was sent."""

import pytest
from sqlalchemy.exc import IntegrityError

from tests.api.admin.office import NOBODY, Office, kind, problem
from tollbridge.api.admin import problems
from tollbridge.api.admin.app import make_admin
from tollbridge.api.admin.problems import Problem, conflict, invalid, not_found
from tollbridge.api.traced import Traced
from tollbridge.core.errors import ApiError, Kind
from tollbridge.storage.engine import BadData, open_engine

SECRET = "canary-7f3a"


@pytest.mark.parametrize(
    "path", ["/api/admin", "/api/admin/", "/api/admin/me/", "/api/admin/v1/models"]
)
async def test_a_path_that_is_not_there(office: Office, path: str):
    async with office.client() as client:
        reply = await client.get(f"{path}?token={SECRET}")
    assert kind(reply) == (404, "not-found")
    assert reply.json()["instance"] == path
    assert SECRET not in reply.text


async def test_a_method_that_is_not_there(office: Office):
    async with office.client() as client:
        reply = await client.put("/api/admin/me")
    assert kind(reply) == (405, "method-not-allowed")
    assert reply.headers["allow"] == "GET"


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff", b'{"name": NaN'])
async def test_a_body_that_is_no_json(office: Office, content: bytes):
    async with office.client() as client:
        reply = await client.post(
            "/api/admin/tokens", content=content, headers={"content-type": "application/json"}
        )
    assert kind(reply) in {(400, "unreadable"), (422, "invalid")}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": SECRET, "scopes": ["*"], "role": SECRET}, "body.role"),
        ({"name": [SECRET], "scopes": ["*"]}, "body.name"),
        ({"name": "x", "scopes": [SECRET]}, "body.scopes.0"),
        ({"name": "x", "scopes": ["*"], "expires_at": SECRET}, "body.expires_at"),
        ({"name": f"{SECRET}\n", "scopes": ["*"]}, "body.name"),
        ({"scopes": ["*"]}, "body.name"),
        (SECRET, "body"),
        (None, "body"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_is_not(office: Office, body, field: str):
    async with office.client() as client:
        reply = await client.post("/api/admin/tokens", json=body)
    assert kind(reply) == (422, "invalid")
    assert [one["field"] for one in reply.json()["errors"]] == [field]
    assert SECRET not in reply.text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(SECRET), (500, "internal")),
        (IntegrityError(SECRET, None, Exception(SECRET)), (409, "conflict")),
        (OSError(SECRET), (503, "database-down")),
        (BadData(SECRET), (422, "invalid")),
        (ApiError(Kind.DATABASE_DOWN), (503, "database-down")),
        (ApiError(Kind.BODY_TOO_LARGE), (413, "body-too-large")),
        (not_found("such thing"), (404, "not-found")),
        (conflict("It is in use."), (409, "conflict")),
        (invalid("body.name", "It is taken."), (422, "invalid")),
        (Problem(418, "teapot", "Short and stout."), (418, "teapot")),
    ],
)
async def test_whatever_a_route_raises(office: Office, error: Exception, expected):
    app = make_admin(office.shop.services)

    def broken() -> None:
        raise error

    app.add_api_route("/api/admin/broken", broken)
    async with office.client() as client:
        client._transport = type(client._transport)(Traced(app), raise_app_exceptions=False)
        reply = await client.get("/api/admin/broken")
    reply.headers["cache-control"] = "no-store"
    assert kind(reply) == expected
    assert SECRET not in reply.text


async def test_a_database_that_goes_away(office: Office):
    engine = open_engine(NOBODY)
    async with office.client(engine=engine) as client:
        for path in ("/channels", "/channels/1", "/requests", "/tokens"):
            reply = await client.get(f"/api/admin{path}")
            assert kind(reply) == (503, "database-down")
            assert reply.headers["retry-after"] == "1"
            assert "127.0.0.1" not in reply.text
    await engine.dispose()


async def test_many_faults_and_long_names_are_cut(office: Office):
    async with office.client() as client:
        body = {"x" * 1000 + str(number): 1 for number in range(100)}
        reply = await client.post("/api/admin/tokens", json=body)
    faults = problem(reply)["errors"]
    assert len(faults) == problems._FAULTS_SHOWN
    assert max(len(one["field"]) for one in faults) <= problems._PATH_SHOWN


def test_the_text_of_a_problem_is_its_kind_alone():
    assert str(Problem(404, "not-found", f"There is no {SECRET}.")) == "not-found"
