"""Owns what the edge itself answers: a request refused before it reached anybody, or lost by it.

Must not know why a request is refused, nor of connections: an error in, bytes out.
"""

from http import HTTPStatus

from tollbridge.core.clock import new_tid
from tollbridge.core.cross_origin import ANSWER_LINES
from tollbridge.core.errors import ApiError, Profile, Surface, is_api_path, render, surface_of

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """Return the first line of an answer, also for a status that has no name."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def refusal(error: ApiError, path: str, profile: Profile) -> tuple[int, bytes, bytes]:
    """Return status, header lines and JSON body in the grammar of the path's surface.

    A path outside the API, or none at all, gets the plain form of the OpenAI surfaces, and pages of
    other origins may not read it.
    """
    is_api = is_api_path(path)
    surface = surface_of(path) if is_api else Surface.CHAT
    shown = render(error, surface, profile, new_tid())
    lines = b"".join(b"%b: %b\r\n" % header for header in shown.headers)
    return shown.status, ANSWER_LINES + lines if is_api else lines, shown.body
