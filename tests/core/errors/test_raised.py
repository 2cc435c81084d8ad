"""The exception carries what was said and shows none of it as an exception."""

from tollbridge.core.errors import ApiError, Kind, not_found


def test_fields_are_kept():
    error = ApiError(
        Kind.INVALID_REQUEST, "words", code="c", param="p", retry_after_s=3, facts={"model": "m"}
    )
    assert (error.kind, error.message, error.code, error.param) == (
        Kind.INVALID_REQUEST,
        "words",
        "c",
        "p",
    )
    assert (error.retry_after_s, error.facts["model"]) == (3, "m")
    assert not ApiError(Kind.INTERNAL).facts


def test_text_of_the_exception_is_its_kind_alone():
    error = ApiError(Kind.UPSTREAM_BAD_REQUEST, "CANARY of a prompt", param="CANARY")
    assert str(error) == "upstream_bad_request"
    assert "CANARY" not in repr(error)


def test_not_found_knows_the_right_path_and_forgets_the_query():
    error = not_found("POST", "/v1/v1/chat/completions?key=sk-secret")
    assert error.kind is Kind.NOT_FOUND
    assert error.facts == {
        "method": "POST",
        "path": "/v1/v1/chat/completions",
        "nearest": "/v1/chat/completions",
    }
    assert not not_found("GET", "/v1/nothing").facts["nearest"]
