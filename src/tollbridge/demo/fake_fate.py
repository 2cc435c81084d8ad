"""Owns what scripts do to a call before any answer is thought of: silence, refusal, recordings.

It must not know of sockets, nor how an answer looks.
"""

import msgspec

from tollbridge.demo import fake_reply
from tollbridge.demo.fake_books import Books
from tollbridge.demo.fake_errors import OPENAI, Tongue
from tollbridge.demo.fake_reply import Reply
from tollbridge.demo.fake_script import Script

_OK = 200


def fate(
    books: Books, script: Script, read: tuple[msgspec.Raw, ...], tongue: Tongue = OPENAI
) -> Reply | None:
    """Return the reply that the script wants instead of an answer, or None when it wants an answer.

    `read` is what an echoing refusal repeats.
    """
    if script.hang:
        return Reply(b"", hang=True)
    if script.redirect:
        return fake_reply.redirect(script)
    if script.status != _OK:
        message = f"Scripted failure with status {script.status}."
        if script.echo:
            message = f"{message} You sent: {b''.join(map(bytes, read)).decode()}"
        return fake_reply.refusal(script, message, tongue)
    if script.replay is None:
        return None
    stored = books.recordings.get(script.replay)
    if stored is None:
        text = f"fake.replay: no recording {script.replay!r} is stored."
        return refused(tongue, 400, text)
    return fake_reply.recorded(stored, script)


def refused(tongue: Tongue, status: int, message: str) -> Reply:
    """Return an unscripted refusal in a vendor's words."""
    return fake_reply.json_reply(status, tongue.say(status, message), tongue.headers)
