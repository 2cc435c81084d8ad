"""Proof of which endpoints pass through, by what names they are sold, and that no path leaves its place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.endpoints import ENDPOINTS, PLACEHOLDER, can_be_sold, find, is_endpoint

METHODS = ("GET", "POST", "DELETE", "PATCH", "PUT", "HEAD", "OPTIONS", "get")
IDS = st.from_regex(r"[A-Za-z0-9._~-]{1,200}", fullmatch=True).filter(
    lambda one: one not in {".", ".."}
)


def named(name: str, *ids: str) -> str:
    """Return a path of an endpoint with these ids."""
    for one in ids:
        name = name.replace(PLACEHOLDER, one, 1)
    return name


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("method", METHODS)
def test_each_endpoint_has_its_methods(name, method):
    path = named(name, *["some-id_1"] * name.count(PLACEHOLDER))
    found = find(method, path)
    assert (found is not None) == (method in ENDPOINTS[name])
    assert found is None or (found.name, found.path) == (name, path)


@pytest.mark.parametrize(
    ("method", "path", "name", "vendors"),
    [
        ("GET", "/v1/files", "/v1/files", ("openai", "anthropic", "gemini")),
        ("GET", "/v1/files/a/content", "/v1/files/{id}/content", ("openai", "anthropic")),
        ("GET", "/claude/v1/files/a", "/v1/files/{id}", ("anthropic",)),
        ("GET", "/gemini/v1/files/a", "/v1/files/{id}", ("gemini",)),
        ("POST", "/v1/batches", "/v1/batches", ("openai",)),
        ("GET", "/v1/batches", "/v1/batches", ("openai", "gemini")),
        ("POST", "/v1/messages/batches", "/v1/messages/batches", ("anthropic",)),
        (
            "GET", "/claude/v1/messages/batches/b/results", "/v1/messages/batches/{id}/results",
            ("anthropic",),
        ),
        ("GET", "/v1beta/files/a:download", "/v1beta/files/{id}:download", ("gemini",)),
        ("POST", "/gemini/v1beta/batches/a:cancel", "/v1beta/batches/{id}:cancel", ("gemini",)),
        ("PATCH", "/v1alpha/cachedContents/a", "/v1alpha/cachedContents/{id}", ("gemini",)),
    ],
)  # fmt: skip
def test_a_path_says_what_it_is_and_who_may_have_it(method, path, name, vendors):
    found = find(method, path)
    assert found is not None
    assert (found.name, found.vendors) == (name, vendors)
    assert found.path == re.sub("^/(claude|gemini)/", "/", path)


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/v1", "/files", "/v1/files/", "/v1//files", "/v1/files/.", "/v1/files/..",
        "/v1/files/a/", "/v1/files/a/b", "/v1/files/a%2fb", "/v1/files/a\n", "/v1/files\n",
        "/v1/files/" + "a" * 201, "/v1/files/a:cancel", "/V1/files", "/v1/files?x",
        "/v1beta/files/..:download", "/v1beta/files/a:delete", "/v1beta/models", "/v1/models",
        "/v1beta/models/m:generateContent", "/claude/v1/batches", "/claude/v1/vector_stores",
        "/claude/v1beta/files", "/gemini/v1/vector_stores", "/claude/claude/v1/files",
        "/claudexv1/files", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses/r",
        "/v1/fine_tuning/checkpoints/a/permissions", "/v1/uploads/..%2ffiles/parts",
    ],
)  # fmt: skip
def test_nothing_else_passes(path):
    assert not [method for method in METHODS if find(method, path)]


@given(st.text("aZ09_-./%?#:~\\ \r\n", max_size=14), st.sampled_from(sorted(ENDPOINTS)))
def test_no_id_leaves_its_segment(text, name):
    path = named(name, text, text)
    for method in ("GET", "POST", "DELETE", "PATCH"):
        found = find(method, path)
        if found is not None:
            assert found.path == path
            assert re.fullmatch(r"[A-Za-z0-9._~:/-]+", path)
            assert not {"", ".", ".."} & set(path.split("/")[1:])
            assert found.name in ENDPOINTS


@given(IDS, IDS, st.sampled_from(sorted(ENDPOINTS)))
def test_every_plain_id_is_one_and_is_in_no_name(one, two, name):
    path = named(name, one, two)
    (method, *_) = sorted(ENDPOINTS[name])
    found = find(method, path)
    assert found is not None
    assert found.path == path
    assert found.name in ENDPOINTS


@pytest.mark.parametrize(
    ("name", "sold"),
    [
        ("/v1/files*", True), ("/v1/files", True), ("/v1/files/{id}/content", True), ("/*", True),
        ("/v1beta*", True), ("/v1/files/file-1", False), ("/v1/file", False), ("/v2*", False),
        ("/models/llama", False), ("*", False), ("gpt*", False), ("gpt", False), ("/", False),
    ],
)  # fmt: skip
def test_what_can_be_sold_is_there(name, sold):
    assert can_be_sold(name) == sold
    assert not sold or is_endpoint(name)


def test_all_names_are_endpoints_and_no_model_is():
    assert all(map(is_endpoint, ENDPOINTS))
    assert not any(map(is_endpoint, ("gpt", "*", "a/b", "")))
