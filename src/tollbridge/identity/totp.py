"""Owns codes of an authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds) and the picture that it
reads its secret from. Pure but for making a secret; that a code counts once is the caller's.
"""

import re
from hmac import compare_digest
from typing import Final

import pyotp
import segno

STEP_MS: Final = 30_000
_DRIFT: Final = 1
"""By how many steps a telephone's clock may be off, either way."""
_CODE = re.compile(r"[0-9]{6}")
_BLANKS = re.compile(r"[\s-]+")


def new_secret() -> str:
    """Return a new secret, 160 random bits in base32."""
    return pyotp.random_base32()


def uri_of(secret: str, email: str, site_name: str) -> str:
    """Return the address that an app takes a secret from."""
    # A colon parts the names of issuer and account.
    issuer = site_name.replace(":", " ")
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def picture_of(uri: str, label: str) -> str:
    """Return an SVG to put into a page: black on white in any theme, without styles (the CSP).

    `label` says what it is to those who do not see it.
    """
    code = segno.make(uri, error="m", micro=False)
    drawn = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", title=label)
    return drawn.replace("<svg ", '<svg role="img" ', 1)


def step_of(secret: str, typed: str, at_ms: int) -> int | None:
    """Return the half minute, counted from 1970, whose code was typed; None when it is none's.

    Blanks and hyphens do not count. All steps are compared, so that time tells nothing.
    """
    code = _BLANKS.sub("", typed)
    if not looks_typed(code):
        return None
    now = at_ms // STEP_MS
    made = pyotp.TOTP(secret)
    steps = range(now - _DRIFT, now + _DRIFT + 1)
    right = [step for step in steps if compare_digest(made.generate_otp(step), code)]
    return right[-1] if right else None


def looks_typed(typed: str) -> bool:
    """Tell whether a text has the form of a code."""
    return _CODE.fullmatch(_BLANKS.sub("", typed)) is not None
