"""Proof that a token gives what its scopes and its user's role allow together, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.identity.scopes import (
    OWN,
    ROLE_SCOPES,
    SINGLE,
    Scope,
    beyond,
    effective,
    sees_own_cost,
)

ROLES = st.sampled_from(["user", "staff", "admin", "", "root"])
SCOPES = st.sets(st.sampled_from(sorted(Scope)))


@given(ROLES, SCOPES)
def test_never_more_than_the_role_nor_than_the_token(role: str, scopes: set[Scope]):
    given_now = effective(role, scopes)
    assert given_now <= ROLE_SCOPES.get(role, frozenset())
    assert Scope.ALL in scopes or given_now <= scopes
    assert Scope.ALL not in given_now


@given(ROLES, SCOPES)
def test_what_may_be_made_gives_all_that_it_says(role: str, scopes: set[Scope]):
    if not beyond(role, scopes):
        assert scopes - {Scope.ALL} <= effective(role, scopes)


def test_roles():
    assert effective("admin", {"*"}) == SINGLE
    assert effective("user", {"*", "channels:read"}) == OWN
    assert effective("user", {"channels:read", "own:read"}) == {Scope.OWN_READ}
    assert effective("nobody", {"*", "own:read"}) == frozenset()
    assert effective("staff", {"*"}) == {one for one in SINGLE if one.endswith(":read")} | {
        Scope.OWN_WRITE,
        Scope.TOKENS_WRITE,
        Scope.REQUESTS_REVERSE,
    }
    assert effective("staff", {"channels:write", "channels:read"}) == {Scope.CHANNELS_READ}


def test_words_of_another_version_give_nothing():
    assert effective("admin", {"moon:fly", "channels:read"}) == {Scope.CHANNELS_READ}


def test_everything_is_for_admins_alone():
    assert beyond("admin", Scope) == frozenset()
    assert beyond("staff", [Scope.ALL, Scope.CHANNELS_READ]) == {Scope.ALL}
    assert beyond("user", Scope) == frozenset(Scope) - OWN
    assert beyond("nobody", Scope) == frozenset(Scope)


def test_what_is_ones_own_opens_nothing_of_the_back_office():
    assert {Scope.OWN_READ, Scope.OWN_WRITE} == OWN
    for role, scopes in ROLE_SCOPES.items():
        assert scopes >= OWN, role
    assert all(scope.startswith("own:") for scope in ROLE_SCOPES["user"])


def test_only_admins_are_told_what_calls_cost():
    assert [role for role in (*ROLE_SCOPES, "", "root") if sees_own_cost(role)] == ["admin"]
