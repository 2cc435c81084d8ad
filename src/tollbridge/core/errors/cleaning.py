"""Owns what a customer may read of an upstream's own words about a refused request.

Pure text in, text out. It removes what points at the operator's side of the call: addresses, ids of
organisations, projects and requests, credentials. The vendor's name may stay.
"""

import ipaddress
import re

from tollbridge.core.redaction import clipped, well_formed

MESSAGE_LIMIT = 500
_READ_LIMIT = 4000
_GONE = "[…]"

_URL = re.compile(
    r"\b[a-z][a-z0-9+.\-]{1,15}://[^\s\"'<>)\]}]+|\bwww\.[^\s\"'<>)\]}]+", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,5}")
_IDS = re.compile(
    r"\barn:aws[\w:/.\-]*"
    r"|\b(?:org|proj|sk|pk|rk|sess|req|acct|wrkspc|msgbatch)[_\-][\w*.\-]{3,}"
    r"|\b(?:user|project|account|key|tenant|team|workspace|deployment)[_\-](?=[\w*\-]*\d)[\w*\-]{6,}"
    r"|\bprojects/[\w\-]+(?:/locations/[\w\-]+)?|\bproject_number:\s?\d+|\bproject\s+(?:number\s+)?\d{6,}"
    r"|\b(?:AIza|AKIA|eyJ)[\w.\-]{10,}"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{24,}\b"
    # What other gateways add to every complaint that they pass on.
    r"|\b(?:request|trace|correlation|activity)[ _\-]?id\b[\"']?\s?[:=]?\s?[\"']?"
    r"(?=[\w\-]*\d)[\w\-]{6,}",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.]*\w)")
_IPV6 = re.compile(
    r"\[?(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?(?![\w:])\]?(?::\d{1,5})?",
    re.IGNORECASE,
)
_TLDS = (
    "com|net|org|io|ai|dev|cloud|cn|co|app|gov|edu|eu|us|uk|de|fr|jp|kr|hk|sg|tw|ru|in|xyz|top|site"
    "|internal|local|localdomain|lan|corp|intra|svc|cluster"
)
_HOST = re.compile(
    rf"(?<![\w.@\-/])(?:[a-z0-9](?:[a-z0-9\-]{{0,61}}[a-z0-9])?\.){{1,8}}(?:{_TLDS})"
    r"(?::\d{1,5})?(?![\w\-]|\.\w)(?:/[^\s\"'<>)\]}]*)?",
    re.IGNORECASE,
)
# Under any other ending a name is a host only by how it begins and by three parts: `edge.x` is none.
_SERVER = re.compile(
    r"(?<![\w.@\-/])(?:api|www|gateway|gw|proxy|relay|edge|router|cdn|llm)(?:[\d\-][a-z0-9\-]{0,40})?"
    r"(?:\.[a-z0-9\-]{1,63}){1,7}\.[a-z]{2,18}(?::\d{1,5})?(?![\w\-]|\.\w)(?:/[^\s\"'<>)\]}]*)?",
    re.IGNORECASE,
)
# A bare name is a host only with a port, and then with a digit or hyphen: `line:12` is not one.
_NAMED_PORT = re.compile(
    r"(?<![\w.:\-])(?:localhost|(?=[a-z0-9]*[0-9\-])[a-z][a-z0-9\-]{1,62})(?::\d{2,5})(?!\w)"
    r"|\blocalhost\b",
    re.IGNORECASE,
)


def clean_upstream_message(text: str) -> str:
    """Return an upstream's message without URLs, hosts, IPs, e-mail, ids and credentials.

    At most 500 characters; of an enormous text only the beginning is read. Never raises.
    """
    text = well_formed(text)
    if len(text) > _READ_LIMIT:
        # A cut through the middle of an id could leave a piece too short to be recognised.
        text = text[:_READ_LIMIT].rpartition(" ")[0]
    for pattern in (_URL, _EMAIL, _BEARER, _IDS, _IPV4):
        text = pattern.sub(_GONE, text)
    text = _IPV6.sub(_unless_time, text)
    for pattern in (_HOST, _SERVER, _NAMED_PORT):
        text = pattern.sub(_GONE, text)
    return clipped(text.strip(), MESSAGE_LIMIT)


def _unless_time(match: re.Match[str]) -> str:
    """Remove an IPv6 address, keep other text with colons such as a time of day."""
    address = match[0].strip("[]").partition("]")[0].partition("%")[0]
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return match[0]
    return _GONE
