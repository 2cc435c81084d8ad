"""A vendor's words about a bad request reach the customer without the operator's traces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import clean_upstream_message


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("see https://platform.example.com/docs?x=1 for help", "platform"),
        ("see www.vendor.test/docs", "vendor"),
        ("in organization org-AbC123xyz on tokens", "AbC123"),
        ("project proj_AbC123 is archived", "proj_"),
        ("Incorrect API key sk-proj-abc***xyz", "xyz"),
        ("request req_011CSHoEeqs5C35K2UUqR7Fy failed", "011C"),
        ("user user-AbC12345 lacks access", "AbC1"),
        ("host api.upstream-vendor.com:8443/v1 said no", "upstream-vendor"),
        ("service relay.prod.svc.cluster.local is strict", "relay.prod"),
        ("dial upstream-1:8080 refused", "8080"),
        ("from localhost:9000", "9000"),
        ("from 10.1.2.3:9000 and 10.1.2.4", "10.1.2"),
        ("from [2001:db8::1]:443", "2001"),
        ("from fe80::1%eth0", "fe80"),
        ("mail ops.team@vendor.example now", "ops.team"),
        ("arn:aws:bedrock:us-east-1:123456789012:model/x", "1234567"),
        ("Consumer projects/1234567890 has no access", "1234567890"),
        ("key AIzaSyA1234567890abcdefghijk is bad", "AIza"),
        ("Authorization: Bearer abcdefghij", "abcdefghij"),
        ("id 4f0c1f0e-1111-4222-8333-444455556666", "4f0c"),
        ("no such field (request id: 20250601123456789Zk3VwTqX)", "20250601"),
        ("Request ID 01JZX5M8Q2 failed", "01JZX5"),
        ('{"trace_id":"Qk3-99zz"}', "Qk3"),
        ("correlation-id=Zk3VwTqX99", "Zk3"),
        ("bad field, says edge-7.vendor.example", "vendor"),
        ("api.relay.vip: bad field", "relay"),
        ("relay3.shop.moe/v1 refused", "shop"),
        ("Publisher projects/p-1/locations/us-central1/publishers/x", "us-central1"),
    ],
)
def test_traces_are_removed(text, gone):
    cleaned = clean_upstream_message(text)
    assert gone not in cleaned
    assert "[…]" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "messages.0.content.1.text: Field required",
        "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' with gpt-5.4.",
        "tools[0].function.name must match ^[a-zA-Z0-9_-]{1,64}$",
        "temperature: 2.5 is above 2; top_p:0.9, max_tokens:32768, line 3:12 at 12:30:45",
        "claude-opus-4-8 does not support response_format.json_schema",
        "user_location and project_settings are not allowed; account_information neither",
        "OpenAI refused; Anthropic-Version 2023-06-01",
        "Request contains an invalid argument.",
        "api.key is missing; edge.x too; router.info.name.0 must be a text; proxy: none",
        "the request identifies nobody; send a request id or a trace id",
        "期望 role 字段",
    ],
)
def test_what_helps_the_customer_stays(text):
    assert clean_upstream_message(text) == text


def test_length_is_capped_before_and_after():
    assert len(clean_upstream_message("word " * 1000)) == 500
    assert clean_upstream_message("x" * 100_000) == ""
    ends_cut = "a " * 1996 + "org-" + "S" * 50
    assert "org" not in clean_upstream_message(ends_cut)


@given(st.text())
def test_never_raises_and_always_encodes(text):
    cleaned = clean_upstream_message(text)
    cleaned.encode()
    assert len(cleaned) <= 500


@given(
    st.text("ab .:/-1", max_size=40),
    st.sampled_from(["org-SECRET99", "sk-SECRET99", "proj_SECRET99", "https://SECRET99.test/x"]),
    st.text("ab .,)", max_size=40),
)
def test_ids_go_wherever_they_stand(before, secret, after):
    assert "SECRET99" not in clean_upstream_message(f"{before} {secret} {after}")
