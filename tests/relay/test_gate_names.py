"""Proof of names that end in an effort: they are another model's, unless they are sold themselves."""

import pytest

from tests.relay.calls import admitted, asked, channel, chat, key, model, snapshot
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.attempt import task_of
from tollbridge.relay.gate import Offers, read_body

SOLD = model("gpt-x")


def catalogue(*models, lists=("gpt-x",)):
    return snapshot(channel(models=list(lists)), models=(SOLD, *models))


def called(name, by=None, **values):
    return admitted(chat(model=name), by=by, catalogue=catalogue(**values))


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_the_effort_is_split_off_and_the_model_is_the_one_that_is_sold(effort):
    call = called(f"gpt-x-{effort}")
    assert (call.upstream_model, call.effort) == ("gpt-x", effort)
    assert (call.model, call.price) == (SOLD, SOLD.price)
    task = task_of(call)
    assert (task.model, task.effort) == ("gpt-x", effort)
    assert (task.identity.model, task.identity.renamed) == (f"gpt-x-{effort}", True)


def test_a_plain_name_is_nobody_elses():
    call = called("gpt-x")
    assert (call.upstream_model, call.effort) == ("gpt-x", None)
    assert not task_of(call).identity.renamed


def test_a_model_that_is_really_called_so_is_itself():
    both = ("gpt-x", "gpt-x-max")
    call = admitted(
        chat(model="gpt-x-max"), catalogue=catalogue(model("gpt-x-max", id=2), lists=both)
    )
    assert (call.upstream_model, call.effort, call.model.id) == ("gpt-x-max", None, 2)


@pytest.mark.parametrize("name", ["gpt-x-huge", "gpt-x-", "gpt-y-high", "gpt-x-high-high", "-high"])
def test_no_other_end_is_an_effort(name):
    with pytest.raises(ApiError) as error:
        called(name)
    assert error.value.kind is Kind.MODEL_UNKNOWN


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [({"gpt-x"}, True), ({"gpt-x-high"}, True), ({"gpt-x-low"}, False), ({"gpt"}, False)],
)
def test_a_keys_own_list_may_say_either_name(allowed, passes):
    call = asked(chat(model="gpt-x-high"), by=key(models=frozenset(allowed)), catalogue=catalogue())
    read_body(call)
    if passes:
        Offers().choose(call)
        assert call.model is SOLD
    else:
        with pytest.raises(ApiError) as error:
            Offers().choose(call)
        assert error.value.kind is Kind.MODEL_NOT_ALLOWED


def test_what_is_remembered_of_a_name_does_not_lose_its_effort():
    offers, efforts = Offers(), []
    one = catalogue()
    for name in ("gpt-x-high", "gpt-x", "gpt-x-low", "gpt-x-high"):
        call = asked(chat(model=name), catalogue=one)
        read_body(call)
        offers.choose(call)
        efforts.append(call.effort)
    assert efforts == ["high", None, "low", "high"]


def test_a_mapped_name_is_the_upstreams_alone():
    call = called("gpt-x-high")
    # What an account's mapping makes of the name that is sold.
    call.bill.model_sent = "up-x"
    task = task_of(call)
    assert (task.model, task.effort, task.sold) == ("up-x", "high", SOLD)
    assert (task.identity.model, task.identity.renamed) == ("gpt-x-high", True)
