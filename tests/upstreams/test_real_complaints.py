"""Every recorded refusal of a vendor, classified by hand: whose fault it is and what may be told of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tollbridge.core.errors import Kind, clean_upstream_message
from tollbridge.relay.verdicts import of_status, of_words
from tollbridge.upstreams.complaints import read_complaint


def named(text: str) -> frozenset[str]:
    """Return the names in a text."""
    return frozenset(text.split())


# The recordings' ids. The account's faults are also models that it does not have: we sell them.
CLIENT = named(
    """
    0417cd56258c 08db40a7cef9 0b83c346773f 0e66f862a9dd 105d1134e209 172e3545a472 20cae3bd8938
    328619cae422 3f4f8c41999a 40b486ae5347 476af0c248ad 47cf2ef219f6 645db80a2bb3 71051a9268d1
    9188933c1403 95297ea6148f 9529dd214ab9 9537d4a300e6 95803c0bb83b a212d9fe1a5e a79099553691
    aebc8bbed32e b2285823ba22 bd6f29d8d9fc cb4275554f36 d5b64f58555d d8d4e74b65b6 df6d08764d5e
    e00157935bed e02007ccf8af e06faaf0e1ea e69fb1f311ff eec0a12bfd13 f114bb8bbbd8 f4147d2ecdae
    fca1d756050f fff19796fcee
    """
)
CONTEXT = named(
    """
    1f945b022988 2b9898485f11 794b3aea619f
    """
)
RATE = named(
    """
    1db2c2746130 4e0a6ca6d80c 4fc55f4d9a92 5ddd5057f48a 656c0082afff ba089a3df6ba bc2baa9627c0
    deba4b7ddaa3 ef2b13979da0
    """
)
ACCOUNT = named(
    """
    03b155a06e14 04b869432eed 15f35567f8ad 1b3476e0e0ac 1b5ad5b7126d 1bed937381f9 1ead2fc3a39f
    2020a5e8c4fa 29ee6baa83fe 2f694d2ed016 32844efe5cb3 339baf829ac7 369d34ab7134 3aa508dc6dd0
    3b1dd20842ef 3cf61e6723cc 4eb3b4041eee 5660631e1542 5a84a72b5969 5f72cfc2ba0d 6279632faaf3
    65d7c760cd8a 6718f54a42bd 6ced0d1b55f0 6f6ef7408213 6fd31a25f6f4 70307c3f56ba 72e9793be686
    73945a594162 73a7d5f41d69 75a0c30e741e 773b3a858797 78f92c07f076 7c3eb14df925 7dd7366cbd92
    851579d040c9 8b4013e39f57 97691fe6fd1d 989f536b6b6a 9948c0868298 9d866c8b3d79 a4eef349cbae
    a9c275e8ff2c aa67eab59469 ac676aa93979 b2b9befe1a58 b84330db768a b9135df052ee c40596d1f840
    c45fa76e0135 c4959a8ef0f0 cc67b1a8322a cf1b1655a556 e9142216aa79 ea5612063c1c f21f3f8c1a6f
    f33a5542486c f3a353b5afd7 f58cb820749f f7e80b2144ab fd049778b885
    """
)
KINDS = {
    **dict.fromkeys(CLIENT, Kind.UPSTREAM_BAD_REQUEST),
    **dict.fromkeys(CONTEXT, Kind.CONTEXT_TOO_LONG),
    **dict.fromkeys(RATE, Kind.PROVIDER_RATE_LIMITED),
    **dict.fromkeys(ACCOUNT, Kind.UPSTREAM_FAILED),
}
# What must not be left of any vendor's words: addresses, keys, ids of projects and people.
TELLTALES = re.compile(
    r"https?:|www\.|\bsk-\w|\borg-|\bproj_|project_number:\d|projects/\w|\bproject \d"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-|req_\w|user_(?!REDACTED)\w|\.(?:com|ai|org|io|net)\b",
    re.IGNORECASE,
)


def refusals(corpus: Path) -> dict[str, dict[str, Any]]:
    """Return all recorded refusals by their id."""
    lines = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    return {
        line["id"]: json.loads((corpus / line["file"]).read_text())["response"]
        for line in lines
        if line["status"] != 200
    }


def body_of(response: dict[str, Any]) -> bytes:
    """Return a recorded body as it was sent, or JSON that says the same."""
    body = response["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def test_every_recorded_refusal_is_judged_rightly(corpus):
    recorded = refusals(corpus)
    assert recorded.keys() == KINDS.keys()
    for name, response in recorded.items():
        complaint = read_complaint(body_of(response))
        verdict = of_status(response["status"], complaint, None)
        assert (name, verdict.error.kind) == (name, KINDS[name])
        elsewhere = KINDS[name] in {Kind.PROVIDER_RATE_LIMITED, Kind.UPSTREAM_FAILED}
        assert (name, verdict.elsewhere) == (name, elsewhere)
        if elsewhere:
            assert verdict.error.message is None and verdict.error.code is None, name
        else:
            assert verdict.error.message, name
            assert TELLTALES.search(verdict.error.message) is None, verdict.error.message


def test_nothing_of_ours_survives_the_cleaning_of_any_recorded_message(corpus):
    for name, response in refusals(corpus).items():
        document = json.loads(body_of(response))
        for text in _texts(document):
            cleaned = clean_upstream_message(text)
            assert TELLTALES.search(cleaned) is None, (name, cleaned)


def _texts(value: Any) -> list[str]:
    """Return what is said anywhere in a body, raw answers of others inside it too."""
    if isinstance(value, dict):
        values = [one for key, one in value.items() if key not in {"@type", "domain", "metadata"}]
        values += [value["metadata"]["raw"]] if "raw" in value.get("metadata", {}) else []
        return [text for one in values for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def error(message: str = "", **fields: Any) -> bytes:
    """Return a body with an error of these fields."""
    return json.dumps({"error": {"message": message, **fields}}).encode()


TOO_LONG = [
    error("prompt is too long: 215000 tokens > 200000 maximum", type="invalid_request_error"),
    error("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
    error("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
          code=400, status="INVALID_ARGUMENT"),
    error("The input token count exceeds the maximum number of tokens allowed 1048576."),
    error("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
    error("This model's maximum prompt length is 131072 but the request contains 200000 tokens."),
    error("Please reduce the length of the messages.", code="context_length_exceeded"),
    error("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum"
          " context length"),
    error("Input is too long for requested model."),
]  # fmt: skip


@pytest.mark.parametrize("body", TOO_LONG)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_each_vendors_words_for_a_context_that_is_too_long(body, status):
    verdict = of_status(status, read_complaint(body), None)
    assert (verdict.error.kind, verdict.elsewhere) == (Kind.CONTEXT_TOO_LONG, False)
    assert of_words(read_complaint(body)).error.kind is Kind.CONTEXT_TOO_LONG


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "body", "kind", "wait_s"),
    [
        (429, error(QUOTA, status="RESOURCE_EXHAUSTED", details=[RETRY]),
         Kind.PROVIDER_RATE_LIMITED, 35),
        (429, error(QUOTA, code="insufficient_quota", details=[RETRY]), Kind.UPSTREAM_FAILED, None),
        (429, error(QUOTA), Kind.UPSTREAM_FAILED, None),
        (413, error("Limit 6000, requested 7000", code="rate_limit_exceeded"),
         Kind.PROVIDER_RATE_LIMITED, 5),
        (413, error("Request exceeds the maximum size", type="request_too_large"),
         Kind.BODY_TOO_LARGE, None),
        (400, error("User location is not supported", status="FAILED_PRECONDITION"),
         Kind.UPSTREAM_FAILED, None),
        (400, error("Your credit balance is too low", type="invalid_request_error"),
         Kind.UPSTREAM_FAILED, None),
        (529, error("Overloaded", type="overloaded_error"), Kind.UPSTREAM_FAILED, None),
        (503, error("The model is overloaded.", status="UNAVAILABLE"), Kind.UPSTREAM_FAILED, None),
        (400, b"<html><h1>400 Bad Request</h1></html>", Kind.UPSTREAM_BAD_REQUEST, None),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", Kind.UPSTREAM_FAILED, None),
    ],
)  # fmt: skip
def test_refusals_that_nobody_recorded(status, body, kind, wait_s):
    found = of_status(status, read_complaint(body), None).error
    assert (found.kind, found.retry_after_s) == (kind, wait_s)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": "rate_limit_error"}, Kind.PROVIDER_RATE_LIMITED),
        ({"code": "rate_limit_exceeded"}, Kind.PROVIDER_RATE_LIMITED),
        ({"status": "RESOURCE_EXHAUSTED", "code": 429}, Kind.PROVIDER_RATE_LIMITED),
        ({"type": "overloaded_error"}, Kind.UPSTREAM_FAILED),
        ({"type": "server_error"}, Kind.UPSTREAM_FAILED),
        ({"type": "invalid_request_error", "code": "invalid_api_key"}, Kind.UPSTREAM_FAILED),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, Kind.UPSTREAM_FAILED),
        ({"type": "invalid_request_error", "param": "input"}, Kind.UPSTREAM_BAD_REQUEST),
        ({"type": "request_too_large"}, Kind.BODY_TOO_LARGE),
        ({}, Kind.UPSTREAM_FAILED),
    ],
)
def test_an_error_without_a_status_is_judged_by_its_words(fields, kind):
    assert of_words(read_complaint(error("something", **fields))).error.kind is kind
