"""Property: an account shown in fields and read back is the same account; secrets are not shown."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.backoffice.test_channel_form import posted
from tollbridge.backoffice import account_form
from tollbridge.catalog.channel_fields import ACCOUNT_FIELDS, read_account
from tollbridge.catalog.edits import NOWHERE
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.plan import AccountPlan

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
TABLES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["one", "zwei", "%(x)s", "<b>"]),
        "base_url": st.sampled_from(["https://api.example.com", "https://a.example/x/y"]),
        "weight": st.integers(1, 1_000_000),
        "priority": st.integers(-1_000_000, 1_000_000),
        "compatible": st.booleans(),
        "cost": st.decimals("0", "100", places=3).map(str),
        "rpm": st.integers(0, 10_000_000),
        "tpm": st.integers(0, 10**12),
        "concurrency": st.integers(0, 1_000_000),
        "mapping": st.dictionaries(st.sampled_from(["a", "b,c", "d-*"]), st.just("x=y")),
        "params": st.dictionaries(st.sampled_from(["top_k", "seed"]), _JSON),
        "params_drop": st.lists(st.sampled_from(["user", "logit_bias"]), unique=True),
    }
)


def plan_of(table: dict[str, Any]) -> AccountPlan:
    fields = Fields(dict(table), (), NOWHERE, ACCOUNT_FIELDS, what="an account")
    return read_account(fields, {}, "openai", allow_private=False, proven=True)


@given(TABLES)
def test_what_is_shown_and_sent_back_is_the_same_account(table: dict[str, Any]) -> None:
    form = posted(account_form.shown(table))
    assert plan_of(account_form.table_of(form)) == plan_of(table)
    assert form.ok and account_form.kept(form) == {"proxy", "headers"}


def test_secrets_are_not_shown_again() -> None:
    names = ("secret", "proxy", "headers", "client_secret", "refresh_token")
    form = posted({**dict.fromkeys(names, "CANARY"), "auth": "oauth"})
    assert "CANARY" not in repr(account_form.typed_values(form))
    assert "CANARY" not in repr(account_form.sign_in_of(posted({"oauth_refresh_token": "CANARY"})))
