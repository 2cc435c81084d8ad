"""Proof that a token gives what its scopes and its user's role allow together, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.identity.scopes import ROLE_SCOPES, SINGLE, Scope, beyond, effective

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
    assert effective("user", {"*", "channels:read"}) == frozenset()
    assert effective("staff", {"*"}) == {one for one in SINGLE if one.endswith(":read")} | {
        Scope.TOKENS_WRITE,
        Scope.REQUESTS_REVERSE,
    }
    assert effective("staff", {"channels:write", "channels:read"}) == {Scope.CHANNELS_READ}


def test_words_of_another_version_give_nothing():
    assert effective("admin", {"moon:fly", "channels:read"}) == {Scope.CHANNELS_READ}


def test_everything_is_for_admins_alone():
    assert beyond("admin", Scope) == frozenset()
    assert beyond("staff", [Scope.ALL, Scope.CHANNELS_READ]) == {Scope.ALL}
    assert beyond("user", Scope) == frozenset(Scope)
