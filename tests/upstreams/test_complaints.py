"""Proof that whatever any platform complains of is read, and nothing ever raises."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.complaints import UpstreamComplaint, from_fields, read_complaint

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "type", "code", "param", "status", "details", "retryDelay"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            b'{"error":{"message":"m","type":"t","code":"c","param":"messages[0].content"}}',
            UpstreamComplaint("m", "t", "c", "messages[0].content"),
        ),
        (b'{"error":{"message":"m","code":null}}', UpstreamComplaint("m")),
        (b'{"error":{"message":"m","code":429}}', UpstreamComplaint("m")),
        (b'{"error":"text"}', UpstreamComplaint("text")),
        (b'{"message":"m","code":"c"}', UpstreamComplaint("m", code="c")),
        (b'{"error":null,"message":"m"}', UpstreamComplaint()),
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}',
            UpstreamComplaint("m", "overloaded_error"),
        ),
        (
            b'{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}',
            UpstreamComplaint("m", "INVALID_ARGUMENT"),
        ),
        (
            b'{"error":{"status":"RESOURCE_EXHAUSTED","details":[7,{"reason":"R"},{"retryDelay":"34.07s"}]}}',
            UpstreamComplaint("", "RESOURCE_EXHAUSTED", "R", None, 35),
        ),
        (b'{"error":{"details":[{"retryDelay":"soon"}]}}', UpstreamComplaint()),
        (b'{"error":{"details":{"retryDelay":"1s"}}}', UpstreamComplaint()),
        (b'[{"error":{"message":"m"}},{"error":{"message":"n"}}]', UpstreamComplaint("m")),
        (b'{"error":{"message":["m"],"type":{"a":1}}}', UpstreamComplaint()),
        (b'{"error":{"type":"a b","code":"<script>","param":"a\\nb"}}', UpstreamComplaint()),
        (b'{"error":{"code":"' + b"c" * 65 + b'"}}', UpstreamComplaint()),
        (b'{"error":[1]}', UpstreamComplaint()),
        (b"[]", UpstreamComplaint()),
        (b'"text"', UpstreamComplaint()),
        (b"<html>Bad gateway</html>", UpstreamComplaint()),
        (b"", UpstreamComplaint()),
        (b"\xff\xfe", UpstreamComplaint()),
        (b"[" * 100_000, UpstreamComplaint()),
        (b'{"error":' * 100_000, UpstreamComplaint()),
    ],
)
def test_the_shapes_of_a_complaint(body, complaint):
    assert read_complaint(body) == complaint


@given(st.binary(max_size=200))
def test_no_bytes_raise(body):
    assert isinstance(read_complaint(body), UpstreamComplaint)


@given(json_values)
def test_no_document_raises_and_names_are_plain_words(value):
    complaint = read_complaint(msgspec.json.encode(value))
    assert isinstance(complaint.message, str)
    for name in (complaint.kind, complaint.code, complaint.param):
        assert name is None or (name.isascii() and name.isprintable() and " " not in name)


@given(st.dictionaries(st.sampled_from(["message", "type", "code", "param"]), json_values))
def test_any_fields_can_be_read(fields):
    complaint = from_fields(fields)
    if isinstance(fields.get("message"), str):
        assert complaint.message == fields["message"]


@pytest.mark.parametrize(
    "complaint",
    [
        UpstreamComplaint("You have insufficient funds"),
        UpstreamComplaint("You exceeded your current quota, please check your plan"),
        UpstreamComplaint("See your BILLING page"),
        UpstreamComplaint("Your credit balance is too low to access the API"),
        UpstreamComplaint("This account has been suspended"),
        UpstreamComplaint("Account org is disabled"),
        UpstreamComplaint("Incorrect API key provided"),
        UpstreamComplaint(code="insufficient_quota"),
        UpstreamComplaint(kind="insufficient_quota"),
        UpstreamComplaint(code="invalid_api_key"),
        UpstreamComplaint(code="billing_hard_limit_reached"),
        UpstreamComplaint(code="account_deactivated"),
        UpstreamComplaint(kind="authentication_error"),
        UpstreamComplaint(kind="billing_error"),
        UpstreamComplaint(kind="PERMISSION_DENIED"),
        UpstreamComplaint(kind="INVALID_ARGUMENT", code="API_KEY_INVALID"),
    ],
)
def test_what_is_about_our_account(complaint):
    assert complaint.about_account


@pytest.mark.parametrize(
    "complaint",
    [
        UpstreamComplaint(),
        UpstreamComplaint("Invalid value for 'temperature'"),
        UpstreamComplaint("Rate limit reached for requests", "rate_limit_exceeded"),
        UpstreamComplaint("This model's maximum context length is 8192 tokens"),
        UpstreamComplaint(code="context_length_exceeded", kind="invalid_request_error"),
    ],
)
def test_what_is_not(complaint):
    assert not complaint.about_account


@pytest.mark.parametrize(
    ("complaint", "about"),
    [
        (UpstreamComplaint(code="model_not_found"), True),
        (UpstreamComplaint(code="DeploymentNotFound"), True),
        (UpstreamComplaint(kind="not_found_error", code="model_decommissioned"), True),
        (UpstreamComplaint("model: claude-9", "not_found_error"), True),
        (UpstreamComplaint("models/gemini-9 is not found for API version v1beta"), True),
        (UpstreamComplaint("Invalid URL (POST /v1/v1/responses)"), False),
        (UpstreamComplaint("No such File object: file-abc", param="id"), False),
        (UpstreamComplaint(), False),
    ],
)
def test_what_is_about_a_model_that_is_not_there(complaint, about):
    assert complaint.about_model == about
    assert not complaint.about_account


@pytest.mark.parametrize(
    "message",
    [
        "input_image is not supported with this model",
        "This model is only supported in v1/responses and not in v1/chat/completions.",
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint.",
    ],
)
def test_what_a_model_cannot_do(message):
    assert UpstreamComplaint(message).about_ability


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (41, 41),
        (40.2, 41),
        (0, 0),
        (True, None),
        (-1, None),
        ("7", None),
        (1e300, None),
        (None, None),
    ],
)
def test_a_limit_of_a_subscription_says_in_its_body_when_it_ends(value, wait_s):
    body = {"error": {"type": "usage_limit_reached", "message": "m", "resets_in_seconds": value}}
    complaint = read_complaint(msgspec.json.encode(body))
    assert (complaint.kind, complaint.retry_after_s) == ("usage_limit_reached", wait_s)


@pytest.mark.parametrize(
    "message",
    [
        "No such File object: file-abc",
        "File not found: file_011CNha8iCJcU1wXNR6q4V8w",
        "You do not have permission to access the File abc or it may not exist.",
        "CachedContent not found (or permission denied)",
        "Item with id 'the model' not found. Items are not persisted when `store` is set to false.",
        "Vector store with id 'vs_1' not found.",
        "Container with id 'cntr_1' not found.",
        "Previous response with id 'resp_1' not found.",
        "No assistant found with id 'asst_1'.",
    ],
)
def test_what_is_about_something_that_the_client_names(message):
    assert UpstreamComplaint(message, "not_found_error").about_reference


@pytest.mark.parametrize(
    "complaint",
    [
        UpstreamComplaint("The model `voice-file` does not exist or you do not have access to it."),
        UpstreamComplaint("models/gemini-file-1 is not found for API version v1beta"),
        UpstreamComplaint("model: claude-prompt-9", "not_found_error"),
        UpstreamComplaint("The file is too large"),
        UpstreamComplaint("No such File object: x", code="model_not_found"),
        UpstreamComplaint("Your project does not have permission to use the service"),
        UpstreamComplaint(),
    ],
)
def test_what_is_not_about_what_the_client_names(complaint):
    assert not complaint.about_reference


@pytest.mark.parametrize(
    ("complaint", "proved"),
    [
        (UpstreamComplaint("no", code="invalid_api_key"), True),
        (UpstreamComplaint("no", "billing_error"), True),
        (
            UpstreamComplaint(
                "Your credit balance is too low to access the Anthropic API. Please go to Plans &"
                " Billing to upgrade or purchase credits.",
                "invalid_request_error",
            ),
            True,
        ),
        (UpstreamComplaint("This organization has been disabled."), True),
        # Words of the request, which the vendor only repeats.
        (UpstreamComplaint("Invalid value: 'billing'. Supported values are: 'user'."), False),
        (UpstreamComplaint("Unrecognized request argument supplied: insufficient funds"), False),
        (UpstreamComplaint("This organization has been disabled.: Extra inputs"), False),
    ],
)
def test_what_a_client_cannot_make_a_vendor_say(complaint, proved):
    assert complaint.proves_account == proved


def test_where_a_code_speaks_of_a_rate_advice_on_billing_is_no_bill():
    words = "Rate limit reached. Visit example.com/billing to add a payment method."
    assert not UpstreamComplaint(words, "requests", "rate_limit_exceeded").about_account
    assert not UpstreamComplaint(words, "rate_limit_error").about_account
    assert UpstreamComplaint(words, "RESOURCE_EXHAUSTED").about_account
