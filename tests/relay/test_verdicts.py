"""The table of what a failed attempt means, row by row."""

import pytest

from tollbridge.core.errors import Kind
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.relay.effects import (
    FAILING,
    LIMIT_S,
    MODEL_GONE,
    OVERLOADED,
    PROXY_DOWN,
    QUARANTINED,
    rate_limited,
)
from tollbridge.relay.verdicts import of_complaint, of_empty, of_failure, of_status
from tollbridge.upstreams.complaints import UpstreamComplaint
from tollbridge.upstreams.failures import Reason, UpstreamFailure

PLAIN = UpstreamComplaint("something is wrong with your request")
TIMEOUTS = {
    Reason.CONNECT_TIMEOUT,
    Reason.FIRST_BYTE_TIMEOUT,
    Reason.IDLE_TIMEOUT,
    Reason.TOTAL_TIMEOUT,
}


@pytest.mark.parametrize("reason", Reason)
def test_a_connection_that_failed_is_tried_elsewhere(reason):
    verdict = of_failure(UpstreamFailure(reason))
    assert (verdict.outcome, verdict.elsewhere) == (reason.value, True)
    expected = Kind.UPSTREAM_TIMEOUT if reason in TIMEOUTS else Kind.UPSTREAM_FAILED
    assert verdict.error.kind is expected


@pytest.mark.parametrize(
    ("status", "outcome", "kind", "elsewhere"),
    [
        (400, "status_400", Kind.UPSTREAM_BAD_REQUEST, False),
        (401, "account_refused", Kind.UPSTREAM_FAILED, True),
        (402, "account_refused", Kind.UPSTREAM_FAILED, True),
        (403, "account_refused", Kind.UPSTREAM_FAILED, True),
        (404, "account_refused", Kind.UPSTREAM_FAILED, True),
        (405, "account_refused", Kind.UPSTREAM_FAILED, True),
        (408, "status_408", Kind.UPSTREAM_FAILED, True),
        (409, "status_409", Kind.UPSTREAM_FAILED, True),
        (413, "status_413", Kind.BODY_TOO_LARGE, False),
        (415, "status_415", Kind.UPSTREAM_BAD_REQUEST, False),
        (422, "status_422", Kind.UPSTREAM_BAD_REQUEST, False),
        (429, "status_429", Kind.PROVIDER_RATE_LIMITED, True),
        (500, "status_500", Kind.UPSTREAM_FAILED, True),
        (502, "status_502", Kind.UPSTREAM_FAILED, True),
        (503, "status_503", Kind.UPSTREAM_FAILED, True),
        (529, "status_529", Kind.UPSTREAM_FAILED, True),
        (204, "status_204", Kind.UPSTREAM_FAILED, True),
    ],
)
def test_a_status_decides_whose_fault_it_is(status, outcome, kind, elsewhere):
    verdict = of_status(status, PLAIN, None)
    assert (verdict.outcome, verdict.error.kind, verdict.elsewhere) == (outcome, kind, elsewhere)


@pytest.mark.parametrize("status", [400, 413, 415, 422, 429])
@pytest.mark.parametrize(
    "complaint",
    [
        UpstreamComplaint("You exceeded your current quota, please check your plan"),
        UpstreamComplaint("Your credit balance is too low"),
        UpstreamComplaint("Incorrect API key provided: sk-abc"),
        UpstreamComplaint("This account has been deactivated"),
        UpstreamComplaint(code="insufficient_quota"),
        UpstreamComplaint(kind="insufficient_quota"),
    ],
)
def test_a_complaint_about_our_account_is_never_the_clients(status, complaint):
    verdict = of_status(status, complaint, b"7")
    assert verdict.elsewhere
    assert (verdict.outcome, verdict.error.kind) == (f"status_{status}", Kind.UPSTREAM_FAILED)
    assert verdict.error.message is None
    assert verdict.error.retry_after_s is None


def test_the_clients_fault_is_told_in_the_upstreams_words_without_what_is_ours():
    complaint = UpstreamComplaint(
        "Invalid 'temperature', see https://vendor.example/docs (req_0123456789abcdef)",
        "invalid_request_error",
        "unsupported_value",
        "temperature",
    )
    error = of_status(400, complaint, None).error
    assert (error.code, error.param) == ("unsupported_value", "temperature")
    assert error.message.startswith("Invalid 'temperature'")
    assert "vendor.example" not in error.message
    assert "req_0123456789abcdef" not in error.message


def test_a_fault_without_words_gets_the_catalogues():
    assert of_status(400, UpstreamComplaint(), None).error.message is None


def test_a_context_that_is_too_long_has_a_kind_of_its_own():
    complaint = UpstreamComplaint("maximum context length", code="context_length_exceeded")
    verdict = of_status(400, complaint, None)
    assert (verdict.error.kind, verdict.elsewhere) == (Kind.CONTEXT_TOO_LONG, False)
    assert verdict.error.message == "maximum context length"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 5),
        (b"", 5),
        (b"soon", 5),
        (b"-3", 5),
        (b"1.5", 5),
        (b"Wed, 21 Oct 2026 07:28:00 GMT", 5),
        (b"0", 1),
        (b"7", 7),
        (b"120", 120),
        (b"121", 120),
        (b"9" * 5000, 120),
    ],
)
def test_the_wait_after_too_many_calls_is_the_vendors_within_reason(header, seconds):
    assert of_status(429, PLAIN, header).error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("fault", "outcome", "kind", "elsewhere"),
    [
        (UpstreamFault("", "", "oops"), "status_500", Kind.UPSTREAM_FAILED, True),
        (UpstreamFault("", "", "busy", 429), "status_429", Kind.PROVIDER_RATE_LIMITED, True),
        (UpstreamFault("", "", "bad", 400), "status_400", Kind.UPSTREAM_BAD_REQUEST, False),
        (
            UpstreamFault("insufficient_quota", "", "no", 429),
            "status_429",
            Kind.UPSTREAM_FAILED,
            True,
        ),
        (
            UpstreamFault("", "invalid_api_key", "no", 401),
            "account_refused",
            Kind.UPSTREAM_FAILED,
            True,
        ),
    ],
)
def test_an_error_inside_a_200_is_judged_by_the_status_that_it_names(
    fault, outcome, kind, elsewhere
):
    verdict = of_complaint(fault)
    assert (verdict.outcome, verdict.error.kind, verdict.elsewhere) == (outcome, kind, elsewhere)


def test_an_empty_answer_is_tried_elsewhere():
    verdict = of_empty()
    assert (verdict.outcome, verdict.error.kind) == ("empty", Kind.UPSTREAM_FAILED)
    assert verdict.elsewhere


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500, 502, 503])
def test_what_is_not_the_clients_fault_says_nothing_of_the_upstream(status):
    error = of_status(
        status, UpstreamComplaint("secret words", "type", "code", "param"), None
    ).error
    assert (error.message, error.code, error.param) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "complaint", "effect"),
    [
        (401, UpstreamComplaint(), QUARANTINED),
        (402, UpstreamComplaint(), QUARANTINED),
        (403, UpstreamComplaint("no"), QUARANTINED),
        (403, UpstreamComplaint(), FAILING),
        (404, UpstreamComplaint("model: claude-9", "not_found_error"), MODEL_GONE),
        (404, UpstreamComplaint("gone", code="model_not_found"), MODEL_GONE),
        (400, UpstreamComplaint("gone", code="model_not_found"), MODEL_GONE),
        (403, UpstreamComplaint("no access to model", "permission_error", "model_not_found"), MODEL_GONE),
        (404, UpstreamComplaint("Invalid URL (POST /v1/v1/responses)"), FAILING),
        (404, UpstreamComplaint(), FAILING),
        (404, UpstreamComplaint("no", "PERMISSION_DENIED"), QUARANTINED),
        (400, UpstreamComplaint("no", code="invalid_api_key"), QUARANTINED),
        (429, UpstreamComplaint("no", code="insufficient_quota"), QUARANTINED),
        (408, PLAIN, FAILING),
        (409, PLAIN, FAILING),
        (500, PLAIN, FAILING),
        (503, PLAIN, FAILING),
        (529, PLAIN, OVERLOADED),
        (400, PLAIN, None),
        (413, PLAIN, None),
    ],
)  # fmt: skip
def test_what_a_refusal_does_to_the_account(status, complaint, effect):
    assert of_status(status, complaint, None).effect == effect


@pytest.mark.parametrize(
    ("reset", "body", "header", "held_s", "told_s"),
    [
        (None, None, None, LIMIT_S, 5),
        (None, 41, None, 41.0, 41),
        (90.2, 41, None, 90.2, 91),
        (90.0, None, b"90", 90.0, 90),
        (10_000.0, None, b"Wed, 21 Oct 2026 07:28:00 GMT", 10_000.0, 120),
        (0.0, None, None, 1.0, 1),
    ],
)
def test_the_account_and_the_client_hear_of_the_same_end_of_a_limit(
    reset, body, header, held_s, told_s
):
    verdict = of_status(429, UpstreamComplaint("slow down", retry_after_s=body), header, reset)
    assert verdict.effect == rate_limited(held_s)
    assert verdict.error.retry_after_s == told_s


def test_what_a_model_cannot_do_is_the_clients_affair_and_holds_nothing_against_the_account():
    complaint = UpstreamComplaint("This model is only supported in v1/responses", param="model")
    verdict = of_status(404, complaint, None)
    assert (verdict.error.kind, verdict.elsewhere) == (Kind.UPSTREAM_BAD_REQUEST, False)
    assert verdict.effect is None


@pytest.mark.parametrize("reason", Reason)
def test_what_a_failed_connection_does_to_the_account(reason):
    special = {
        Reason.PROXY_FAILED: PROXY_DOWN, Reason.REPLY_TOO_LARGE: None, Reason.TOTAL_TIMEOUT: None,
    }  # fmt: skip
    assert of_failure(UpstreamFailure(reason)).effect == special.get(reason, FAILING)


@pytest.mark.parametrize(
    ("status", "complaint", "effect"),
    [
        # What a client can make a vendor repeat must not shut its pool.
        (400, UpstreamComplaint("Invalid value: 'billing'."), FAILING),
        (422, UpstreamComplaint("Unrecognized argument: insufficient funds"), FAILING),
        (400, UpstreamComplaint("This organization has been disabled."), QUARANTINED),
        (402, UpstreamComplaint("insufficient funds"), QUARANTINED),
        (429, UpstreamComplaint("You exceeded your current quota"), QUARANTINED),
        (500, UpstreamComplaint("the billing service is away"), FAILING),
        (503, UpstreamComplaint("no", code="insufficient_quota"), QUARANTINED),
        (429, UpstreamComplaint("See /billing", code="rate_limit_exceeded"), rate_limited(None)),
    ],
)
def test_words_alone_take_an_account_out_only_where_no_request_causes_them(
    status, complaint, effect
):
    verdict = of_status(status, complaint, None)
    assert (verdict.effect, verdict.elsewhere) == (effect, True)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    "complaint",
    [
        UpstreamComplaint("No such File object: file-abc"),
        UpstreamComplaint("You do not have permission to access the File abc", "PERMISSION_DENIED"),
        UpstreamComplaint("Item with id 'my model' not found."),
    ],
)
def test_what_another_account_may_have_is_asked_of_it_and_held_against_none(status, complaint):
    verdict = of_status(status, complaint, None)
    assert (verdict.outcome, verdict.elsewhere) == (f"status_{status}", True)
    assert (verdict.error.kind, verdict.effect) == (Kind.UPSTREAM_BAD_REQUEST, None)
    assert verdict.error.message
