"""What the edge answers by itself."""

import json

from tollbridge.core.errors import ApiError, Kind, Profile
from tollbridge.edge.refusals import refusal, status_line


def test_paths_choose_the_grammar():
    error = ApiError(Kind.DRAINING)
    status, lines, body = refusal(error, "/claude/v1/messages", Profile.STRICT)
    assert status == 503 and b"retry-after: " in lines and lines.endswith(b"\r\n")
    assert json.loads(body)["error"]["type"] == "overloaded_error"
    for path in ("/page", ""):
        _, _, body = refusal(error, path, Profile.STRICT)
        assert json.loads(body)["error"]["status"] == 503


def test_status_lines():
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(529) == b"HTTP/1.1 529 \r\n"
