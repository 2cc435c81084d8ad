"""Proof of how endpoints stand in the catalogue: priced by the call alone, apart from all models."""

import pytest

from tests.relay.calls import channel, model, price, snapshot
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.file import Known, parse_file
from tollbridge.catalog.visibility import is_sold, listed_models, seller

FILE = """
[[model]]
name = "{name}"
{fields}
"""


def parsed(name, fields):
    return parse_file(FILE.format(name=name, fields=fields), Known())


def test_a_price_a_call_is_enough():
    (one,) = parsed("/v1/files*", 'request = "0.001"').models
    assert (one.name, one.context, one.max_output) == ("/v1/files*", 1, 1)
    assert one.price is not None
    assert (dict(one.price.items), dict(one.price.rates)) == ({"request": 1_000_000}, {})


def test_nothing_is_a_price_where_it_is_written():
    (one,) = parsed("/v1/files*", 'request = "0"').models
    assert one.price is not None
    assert dict(one.price.items) == {"request": 0}


@pytest.mark.parametrize(
    ("name", "fields", "line", "reason"),
    [
        ("/v1/files*", "", 2, "needs request"),
        ("/v1/files*", "context = 5", 2, "needs request"),
        ("/v1/files*", 'request = "1"\ninput = "1"\noutput = "1"', 5, "by request alone"),
        ("/v1/files*", 'request = "1"\nsecond = "1"', 5, "by request alone"),
        ("/models/llama", 'request = "1"', 3, "no endpoint has this name"),
        ("/v1/files/file-1", 'request = "1"', 3, "no endpoint has this name"),
        ("gpt", 'request = "1"', 2, "needs context"),
    ],
)
def test_what_makes_no_sense_is_refused(name, fields, line, reason):
    with pytest.raises(FileError, match=reason) as caught:
        parsed(name, fields)
    assert caught.value.line == line


def test_a_key_may_list_the_name_that_is_sold_but_no_other_wildcard():
    key = '[[user]]\nemail = "a@example.com"\n[[user.key]]\nname = "k"\nmodels = ["{}"]\n'
    (user,) = parse_file(key.format("/v1/files*"), Known()).users
    assert user.keys[0].models == ("/v1/files*",)
    with pytest.raises(FileError, match="exact names"):
        parse_file(key.format("gpt*"), Known())


@pytest.mark.parametrize(
    ("lists", "name", "serves"),
    [
        (["*"], "/v1/files", False),
        (["*"], "gpt", True),
        (["*", "/v1/*"], "/v1/files", True),
        (["/*"], "/v1/files/{id}", True),
        (["/*"], "gpt", False),
        (["/v1/files"], "/v1/files", True),
        (["/v1/files"], "/v1/files/{id}", False),
        (["gpt*"], "/v1/files", False),
        ([], "/v1/files", False),
    ],
)
def test_the_plain_wildcard_of_a_channel_means_models_alone(lists, name, serves):
    assert channel(models=lists).serves(name) == serves


def test_the_longest_name_is_the_price_and_never_the_plain_wildcard():
    names = ("*", "/v1*", "/v1/files*", "/v1/files/{id}/content", "/v1/batches")
    catalogue = snapshot(models=tuple(model(name, id=at) for at, name in enumerate(names)))
    found = {
        name: getattr(catalogue.model(name), "name", None)
        for name in (
            "/v1/files", "/v1/files/{id}", "/v1/files/{id}/content", "/v1/batches",
            "/v1/batches/{id}", "/v1beta/files", "/v2", "gpt",
        )
    }  # fmt: skip
    assert list(found.values()) == [
        "/v1/files*", "/v1/files*", "/v1/files/{id}/content", "/v1/batches", "/v1*", "/v1*", None,
        "*",
    ]  # fmt: skip


def test_no_list_of_models_has_an_endpoint():
    sold = model("/v1/files", price=price())
    main = channel(models=["gpt-test", "/v1/files", "/v1/batches*"])
    catalogue = snapshot(main, models=(model(), sold, model("/v1/batches")))
    assert catalogue.visible[main.id] == ("gpt-test",)
    assert not is_sold(catalogue, main, "/v1/files")
    assert seller(catalogue, [main], "/v1/files") is None
    assert list(listed_models(catalogue, [main], frozenset({"/v1/files", "gpt-test"}))) == [
        "gpt-test"
    ]
