"""Proof that no plan shows a secret when it is printed, whatever is added to it."""

from dataclasses import fields

import pytest

from tollbridge.catalog import plan


@pytest.mark.parametrize("kind", [plan.AccountPlan, plan.ChannelPlan, plan.KeyPlan, plan.UserPlan])
def test_fields_that_may_hold_a_secret_are_hidden(kind: type):
    hidden = {one.name for one in fields(kind) if not one.repr}
    assert hidden == {one.name for one in fields(kind)} & {"secret", "proxy", "password", "headers"}
    assert hidden
