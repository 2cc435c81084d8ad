"""Proof of who may ask what: every route of both applications, every role, every scope, whose things.

`ROUTES` is the one place that says it. What it does not name is refused: a new route fails here until
somebody has decided who may use it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.api.admin.office import problem
from tests.api.planes import ROLES, Planes, documents, open_planes, things_of
from tests.services.shop import OTHERS
from tollbridge.identity.scopes import Scope

S = Scope
READS = frozenset(one for one in Scope if one.endswith(":read"))
SINGLE = frozenset(Scope) - {S.ALL}
OWN = frozenset({S.OWN_READ, S.OWN_WRITE})
ALLOWED = {
    "user": OWN,
    "staff": READS | {S.OWN_WRITE, S.TOKENS_WRITE, S.REQUESTS_REVERSE},
    "admin": SINGLE,
}
"""What each role may do at most; no other role may do anything."""
DOORS = {"admin": SINGLE - OWN, "user": OWN}
"""Of which scopes a token must have one to be let into an application at all."""


class Route(NamedTuple):
    """What a token must be good for (None: for anything that opens the door), and what is answered
    then to a request without a body for things that there are not.
    """

    scope: Scope | None
    status: int


ROUTES = {
    "GET /api/admin/me": Route(None, 200),
    "GET /api/admin/openapi.json": Route(None, 200),
    "GET /api/admin/tokens": Route(S.TOKENS_READ, 200),
    "POST /api/admin/tokens": Route(S.TOKENS_WRITE, 422),
    "DELETE /api/admin/tokens/{token_id}": Route(S.TOKENS_WRITE, 404),
    "GET /api/admin/overview": Route(S.STATISTICS_READ, 200),
    "GET /api/admin/statistics": Route(S.STATISTICS_READ, 422),
    "GET /api/admin/requests": Route(S.REQUESTS_READ, 200),
    "GET /api/admin/requests/{tid}": Route(S.REQUESTS_READ, 404),
    "POST /api/admin/requests/{tid}/reverse": Route(S.REQUESTS_REVERSE, 422),
    "GET /api/admin/users": Route(S.USERS_READ, 200),
    "GET /api/admin/users/{user_id}": Route(S.USERS_READ, 404),
    "PATCH /api/admin/users/{user_id}": Route(S.USERS_WRITE, 422),
    "POST /api/admin/users/{user_id}/suspend": Route(S.USERS_WRITE, 422),
    "POST /api/admin/users/{user_id}/unsuspend": Route(S.USERS_WRITE, 422),
    "POST /api/admin/users/{user_id}/credit": Route(S.USERS_WRITE, 422),
    "DELETE /api/admin/users/{user_id}/sessions": Route(S.USERS_WRITE, 404),
    "GET /api/admin/users/{user_id}/statements/{month}": Route(S.STATISTICS_READ, 404),
    "GET /api/admin/codes": Route(S.CODES_READ, 422),
    "POST /api/admin/codes": Route(S.CODES_WRITE, 422),
    "GET /api/admin/codes/batches": Route(S.CODES_READ, 200),
    "POST /api/admin/codes/revoke": Route(S.CODES_WRITE, 422),
    "GET /api/admin/invites": Route(S.CODES_READ, 200),
    "POST /api/admin/invites": Route(S.CODES_WRITE, 422),
    "DELETE /api/admin/invites/{invite_id}": Route(S.CODES_WRITE, 404),
    "GET /api/admin/channels": Route(S.CHANNELS_READ, 200),
    "POST /api/admin/channels": Route(S.CHANNELS_WRITE, 422),
    "GET /api/admin/channels/{channel_id}": Route(S.CHANNELS_READ, 404),
    "PATCH /api/admin/channels/{channel_id}": Route(S.CHANNELS_WRITE, 422),
    "GET /api/admin/accounts": Route(S.ACCOUNTS_READ, 200),
    "POST /api/admin/accounts": Route(S.ACCOUNTS_WRITE, 422),
    "GET /api/admin/accounts/{account_id}": Route(S.ACCOUNTS_READ, 404),
    "PATCH /api/admin/accounts/{account_id}": Route(S.ACCOUNTS_WRITE, 422),
    "POST /api/admin/accounts/{account_id}/recover": Route(S.ACCOUNTS_WRITE, 404),
    "POST /api/admin/accounts/{account_id}/disable": Route(S.ACCOUNTS_WRITE, 422),
    "POST /api/admin/accounts/{account_id}/enable": Route(S.ACCOUNTS_WRITE, 404),
    "PUT /api/admin/accounts/{account_id}/oauth": Route(S.ACCOUNTS_WRITE, 422),
    "POST /api/admin/accounts/{account_id}/test": Route(S.ACCOUNTS_WRITE, 404),
    "GET /api/admin/models": Route(S.PRICES_READ, 200),
    "POST /api/admin/models": Route(S.PRICES_WRITE, 422),
    "GET /api/admin/models/{model_id}": Route(S.PRICES_READ, 404),
    "PATCH /api/admin/models/{model_id}": Route(S.PRICES_WRITE, 422),
    "POST /api/admin/models/{model_id}/prices/cancel": Route(S.PRICES_WRITE, 422),
    "GET /api/admin/prices/import": Route(S.PRICES_READ, 200),
    "POST /api/admin/prices/import": Route(S.PRICES_WRITE, 422),
    "GET /api/admin/announcements": Route(S.ANNOUNCEMENTS_READ, 200),
    "POST /api/admin/announcements": Route(S.ANNOUNCEMENTS_WRITE, 422),
    "GET /api/admin/announcements/{announcement_id}": Route(S.ANNOUNCEMENTS_READ, 404),
    "PUT /api/admin/announcements/{announcement_id}": Route(S.ANNOUNCEMENTS_WRITE, 422),
    "POST /api/admin/announcements/{announcement_id}/end": Route(S.ANNOUNCEMENTS_WRITE, 404),
    "GET /api/admin/settings": Route(S.SETTINGS_READ, 200),
    "PATCH /api/admin/settings": Route(S.SETTINGS_WRITE, 422),
    "GET /api/admin/audit": Route(S.AUDIT_READ, 200),
    "GET /api/admin/ledger": Route(S.LEDGER_READ, 200),
    "POST /api/admin/ledger/check": Route(S.LEDGER_READ, 200),
    "GET /api/user/openapi.json": Route(None, 200),
    "GET /api/user/me": Route(S.OWN_READ, 200),
    "PATCH /api/user/me": Route(S.OWN_WRITE, 422),
    "PUT /api/user/me/alerts": Route(S.OWN_WRITE, 422),
    "GET /api/user/keys": Route(S.OWN_READ, 200),
    "POST /api/user/keys": Route(S.OWN_WRITE, 422),
    "GET /api/user/keys/{key_id}": Route(S.OWN_READ, 404),
    "PATCH /api/user/keys/{key_id}": Route(S.OWN_WRITE, 422),
    "DELETE /api/user/keys/{key_id}": Route(S.OWN_WRITE, 404),
    "POST /api/user/keys/{key_id}/rotate": Route(S.OWN_WRITE, 422),
    "GET /api/user/usage": Route(S.OWN_READ, 200),
    "GET /api/user/receipts/{tid}": Route(S.OWN_READ, 404),
    "GET /api/user/statistics": Route(S.OWN_READ, 422),
    "GET /api/user/wallet": Route(S.OWN_READ, 200),
    "GET /api/user/wallet/lots": Route(S.OWN_READ, 200),
    "GET /api/user/wallet/lines": Route(S.OWN_READ, 200),
    "POST /api/user/wallet/redeem": Route(S.OWN_WRITE, 422),
    "GET /api/user/statements/{month}": Route(S.OWN_READ, 422),
    "GET /api/user/channels": Route(S.OWN_READ, 200),
    "GET /api/user/channels/{channel_id}": Route(S.OWN_READ, 404),
    "GET /api/user/prices": Route(S.OWN_READ, 200),
    "GET /api/user/sessions": Route(S.OWN_READ, 200),
    "DELETE /api/user/sessions": Route(S.OWN_WRITE, 200),
    "DELETE /api/user/sessions/{session_id}": Route(S.OWN_WRITE, 404),
    "GET /api/user/announcements": Route(S.OWN_READ, 200),
}
NOTHING = {"tid": "0" * 32, "month": "1999-01"}

THEIRS: dict[str, Any] = {
    "GET /api/user/keys/{key_id}": None,
    "PATCH /api/user/keys/{key_id}": {"enabled": False},
    "POST /api/user/keys/{key_id}/rotate": {},
    "DELETE /api/user/keys/{key_id}": None,
    "GET /api/user/receipts/{tid}": None,
    "DELETE /api/user/sessions/{session_id}": None,
}
"""Routes whose things belong to somebody, each with a body that is good; the last use of a thing last."""


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    with open_planes(tmp_path_factory.mktemp("planes")) as opened:
        yield opened


def test_every_route_is_in_the_table_and_says_the_same():
    described = {
        f"{method.upper()} {path}": operation["security"][0]["accessToken"]
        for document in documents().values()
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {
        name: [route.scope] if route.scope else [] for name, route in ROUTES.items()
    }


def target(name: str, things: dict[str, str] | None = None) -> tuple[str, str]:
    """Return method and path of a route, for things that there are not unless some are given."""
    method, _, path = name.partition(" ")
    named = dict.fromkeys(("user_id", "token_id", "key_id", "session_id", "channel_id"), "1")
    named |= dict.fromkeys(("account_id", "model_id", "invite_id", "announcement_id"), "1")
    return method, path.format(**{**named, **NOTHING, **(things or {})})


def expected(name: str, role: str, scopes: frozenset[Scope]) -> int:
    """Return what the table says of a live token: let in, good for it, or refused."""
    route, allowed = ROUTES[name], ALLOWED[role]
    good_for = allowed if S.ALL in scopes else scopes & allowed
    if not good_for & DOORS[name.split("/")[2]]:
        return 403
    return route.status if route.scope is None or route.scope in good_for else 403


@pytest.mark.parametrize("role", ROLES)
def test_roles_and_scopes(planes: Planes, role: str):
    held = [frozenset({one}) for one in Scope] + [SINGLE]
    for scopes in held:
        token = planes.token(role, *sorted(scopes))
        for name in ROUTES:
            reply = planes.ask(token, *target(name))
            wanted = expected(name, role, scopes)
            assert reply.status_code == wanted, (name, role, sorted(scopes), reply.text)


@pytest.mark.parametrize("why", ["none", "unknown", "key", "suspended", "expired", "revoked"])
def test_who_is_nobody_gets_nothing(planes: Planes, why: str):
    tokens = {"none": "", "unknown": f"tbp_{'x' * 46}", "key": OTHERS, **planes.dead_tokens()}
    for name in ROUTES:
        reply = planes.ask(tokens[why], *target(name))
        assert reply.status_code == 401, (name, why, reply.text)
        assert problem(reply)["type"].endswith(":unauthorised")
        assert reply.headers["www-authenticate"].startswith("Bearer")
    for path in ("/api/admin/nothing", "/api/user/nothing", "/api/user"):
        assert planes.ask(tokens[why], "GET", path).status_code == 401


def test_every_thing_of_somebody_is_in_the_table():
    owned = {name for name in ROUTES if name.split("/")[2] == "user" and "{" in name}
    common = {"GET /api/user/statements/{month}", "GET /api/user/channels/{channel_id}"}
    assert owned == THEIRS.keys() | common


def test_what_is_anothers_is_not_there(planes: Planes):
    things = planes.run(things_of(planes, "bob", OTHERS))
    others = [planes.token(who, S.ALL) for who in ("ada", *ROLES)]
    own = planes.token("bob", S.OWN_READ, S.OWN_WRITE)
    for name, body in THEIRS.items():
        method, path = target(name, things)
        sent = {} if body is None else {"json": body}
        for token in others:
            reply = planes.ask(token, method, path, **sent)
            assert reply.status_code == 404, (name, reply.text)
            absent = planes.ask(token, *target(name), **sent)
            assert problem(reply)["detail"] == problem(absent)["detail"]
        # None of them has changed it: its owner finds all of it.
        reply = planes.ask(own, method, path, **sent)
        assert reply.status_code in {200, 204}, (name, reply.text)


def test_lists_have_ones_own_alone(planes: Planes):
    planes.run(things_of(planes, "ada", "sk-demo-" + "x" * 32))
    ada, admin = planes.token("ada"), planes.token("admin")
    for path in ("keys", "wallet/lots", "wallet/lines"):
        found = planes.ask(ada, "GET", f"/api/user/{path}").json()["items"]
        assert found, path
        assert planes.ask(admin, "GET", f"/api/user/{path}").json()["items"] == [], path
    assert planes.ask(admin, "GET", "/api/user/wallet").json()["balance"] == "0.00"
