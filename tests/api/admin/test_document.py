"""Proof that the document says all: every operation's answers, failures and scope; and says the truth.

The second half asks every operation for nonsense and holds the answers against the document.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.admin.office import PROBLEM, Office, problem
from tollbridge.api.admin.app import make_admin
from tollbridge.api.admin.document import document_of
from tollbridge.identity.scopes import Scope

METHODS = {"get", "post", "patch", "put", "delete"}
OPEN = {("get", "/api/admin/me"), ("get", "/api/admin/openapi.json")}
NONSENSE = ["", "x", "-1", "0", "1.5", "9" * 40, "null", "%00", "%ff", "a%0Ab", "[]", "%F0%9F%98%80",
            "2026-01-01", "' OR 1=1 --"]  # fmt: skip
BODIES = [None, [], {}, "x", 1, True, {"enabled": "yes"}, {"unknown": 1}, {"name": 1, "scopes": {}},
          {"name": "", "scopes": []}, {"name": "x" * 65, "scopes": ["*"]},
          {"name": "x", "scopes": ["*"] * 51}, {"enabled": {"a": [1]}},
          {"name": "x", "scopes": ["*"], "expires_at": 1e400}]  # fmt: skip


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield method, path, operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


async def test_the_document_is_complete(office: Office):
    document = await office.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document == document_of(make_admin(office.shop.services))
    assert document["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"
    seen = set()
    for method, path, operation in operations(document):
        assert path.startswith("/api/admin/")
        assert operation["description"], path
        [security] = operation["security"]
        scopes = security["accessToken"]
        assert all(Scope(scope) is not Scope.ALL for scope in scopes)
        assert len(scopes) == (0 if (method, path) in OPEN else 1), path
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        answers = operation["responses"]
        assert {"400", "401", "403", "422", "500", "503"} <= answers.keys()
        # Some things are named in the body.
        assert "404" in answers or "{" not in path, path
        assert ("413" in answers) is ("requestBody" in operation)
        for status, one in answers.items():
            kinds = {"204": set(), "200": {"application/json"}, "201": {"application/json"}}
            wanted = kinds.get(status, {PROBLEM})
            if path.endswith("/statements/{month}") and status == "200":
                wanted = wanted | {"text/csv", "text/html", "application/pdf"}
            assert set(one.get("content", {})) == wanted, (path, status)


async def test_every_reference_leads_somewhere_and_no_name_is_secret(office: Office):
    document = await office.get("/openapi.json")
    text = json.dumps(document)
    for name in set(re.findall(r"#/components/schemas/([^\"]+)", text)):
        assert name in document["components"]["schemas"], name
    fields = {
        field
        for name, schema in document["components"]["schemas"].items()
        # What comes in may be a secret; it never goes out.
        if name not in {"NewChannel", "ChannelChange", "NewAccount", "AccountChange"}
        for field in schema.get("properties", {})
    }
    assert not fields & {"secret", "hash", "password_hash", "proxy", "headers", "pepper"}
    assert "ValidationError" not in text


async def test_ids_and_money_are_strings(office: Office):
    document = await office.get("/openapi.json")
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            kinds = {one.get("type") for one in kind.get("anyOf", [kind])}
            if field == "id" or field.endswith(("_id", "_at", "cost")):
                assert kinds <= {"string", "null"}, (name, field)
            # Only durations may be fractions.
            assert "number" not in kinds or field.endswith("_s"), (name, field)


@pytest.mark.parametrize("value", NONSENSE)
async def test_nonsense_in_paths_and_queries_is_a_problem_or_a_known_answer(
    office: Office, value: str
):
    async with office.client() as client:
        document = (await client.get("/api/admin/openapi.json")).json()
        for method, path, operation in operations(document):
            target = re.sub(r"\{\w+\}", value.replace("/", "") or "%20", path)
            names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
            for query in ["", *(f"?{name}={value}" for name in names)]:
                if method not in {"get", "delete"}:
                    continue
                reply = await client.request(method.upper(), target + query)
                assert str(reply.status_code) in operation["responses"], (
                    target + query,
                    reply.text,
                )
                assert reply.status_code < 500
                if reply.status_code >= 400:
                    problem(reply)
                else:
                    check(document, operation, reply.status_code, reply.json())


async def test_nonsense_in_bodies_is_a_problem(office: Office):
    async with office.client() as client:
        document = (await client.get("/api/admin/openapi.json")).json()
        for method, path, operation in operations(document):
            if "requestBody" not in operation:
                continue
            for body in BODIES:
                content = json.dumps(body)
                reply = await client.request(
                    method.upper(),
                    re.sub(r"\{\w+\}", "1", path),
                    content=content,
                    headers={"content-type": "application/json"},
                )
                if body == {} and reply.status_code in (200, 201):
                    # Nothing is required of it.
                    continue
                assert reply.status_code >= 400, (path, body, reply.text)
                assert reply.status_code != 500, (path, body, reply.text)
                assert str(reply.status_code) in operation["responses"]
                problem(reply)
            for kind in ("text/plain", "application/xml", ""):
                headers = {"content-type": kind} if kind else {}
                target = re.sub(r"\{\w+\}", "1", path)
                reply = await client.request(
                    method.upper(), target, content=b'{"enabled":true}', headers=headers
                )
                assert reply.status_code in {400, 422}, (path, kind, reply.text)
                problem(reply)


def check(document: dict[str, Any], operation: dict[str, Any], status: int, shown: Any) -> None:
    """Hold an answer against the document: the fields that must be there, and no others."""
    described = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    schema = resolved(document, described)
    if "properties" in schema:
        assert set(schema.get("required", ())) <= shown.keys() <= schema["properties"].keys()
