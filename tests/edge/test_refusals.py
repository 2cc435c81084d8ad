"""What the edge answers by itself."""

import json

from tollbridge.core.cross_origin import ANSWER_LINES
from tollbridge.core.errors import ApiError, Kind, Profile
from tollbridge.edge.refusals import refusal, status_line


def test_paths_choose_the_grammar():
    error = ApiError(Kind.DRAINING)
    status, lines, body = refusal(error, "/claude/v1/messages", Profile.STRICT)
    assert status == 503 and b"retry-after: " in lines and lines.endswith(b"\r\n")
    assert json.loads(body)["error"]["type"] == "overloaded_error"
    for path in ("/page", ""):
        _, lines, body = refusal(error, path, Profile.STRICT)
        assert json.loads(body)["error"]["status"] == 503
        assert b"access-control" not in lines


def test_pages_of_other_origins_may_read_refusals_of_the_api():
    for path in ("/v1/messages", "/messages", "/gemini/v1/models", "/v1/nothing"):
        _, lines, _ = refusal(ApiError(Kind.DRAINING), path, Profile.STRICT)
        assert lines.startswith(ANSWER_LINES)


def test_status_lines():
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(529) == b"HTTP/1.1 529 \r\n"
