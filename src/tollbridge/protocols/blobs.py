"""Owns finding what a JSON request carries besides text, without parsing it: media and references.

The input bound (money.md, Bound) counts text by its bytes, embedded media by the piece, and takes
the whole context window as soon as a request refers to content that nobody here can see. Must not
know prices or models.

Why bytes are enough: a quote that opens a JSON string never follows a backslash, and inside a
string every quote is escaped. So a pattern that begins with an unescaped quote finds keys and whole
values only, never the text of a prompt, however that text may look. Every doubt is decided upwards:

- Bytes leave the text only when they are base64, stand in a field that vendors read as media and
  begin like an image or a sound. Prose behind `;base64,`, a data URL in a message's text, a text
  document and a PDF (whose tokens do grow with its size) stay text, though a piece is counted.
- A sound is counted once for every started 256 KiB: its tokens grow with its length.
- A string that may be a key and has a JSON escape of an ASCII letter, digit or `_` could be any of
  those sought here, so it counts as a reference. No client writes such escapes by itself; those
  of < > & ' + that Go and .NET write are not among them.

Known limit: base64 that begins like an image under such a key inside a tool's free-form arguments
is taken for media although the vendor reads it as text. Such a call can cost more than its hold, by
at most the context window, and settlement deals with a cost above the hold.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass
from enum import Enum, auto

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Some encoders write "/" as "\\/" and "+" as "\\u002B"; MIME base64 has line ends.
_RUN = re.compile(
    rb"[A-Za-z0-9+/=_-]*+ (?: \\(?: [/nr] | u002[bB] ) [A-Za-z0-9+/=_-]*+ )*+", re.VERBOSE
)
_HEAD_CHARS = 16
_BARE_MIN = 32
_SOUND_PIECE = 256 * 1024
_CHUNK = 64 * 1024

# Up to this many strings are looked at one by one, jumping over what lies between them: a long
# prompt is mostly one string. A single sweep is the quicker way through many strings.
_SPARSE_FROM = 16 * 1024
_SPARSE_QUOTES = 64

# A JSON escape of an ASCII letter, a digit, "_" or ":".
_HIDDEN = rb"\\u00 (?: 3[0-9aA] | 4[1-9a-fA-F] | 5[0-9aAfF] | 6[1-9a-fA-F] | 7[0-9aA] )"

# The look-ahead only speeds the sweep: it lists how the words below begin, plain or escaped.
_LANDMARK = re.compile(
    rb"""
    "(?<!\\")
    (?= au | c[ao] | d[ao] | en | fi | g[os] | ht | i[mt] | m[cei] | pr | se | t[oy] | ur | v[aei]
      | we | [a-z]?\\u )
    (?:
        # Strings that name something kept elsewhere.
        (?: cached_?[cC]ontent | conversation | file_id | file_?[uU]ri | previous_response_id
          )" \s*+ : \s*+ "
      | data" \s*+ : \s*+ "(?: (?i: https? | gs | file ): | [A-Za-z]{0,8}+ %(hidden)b )
      | (?: audio | document | file | image | video )_url" \s*+ : \s*+
            (?: "(?! (?i:data:) )
              | \{ (?! \s*+ (?: "detail" \s*+ : \s*+ "[a-z]*+" \s*+ , \s*+ )?+
                       "url" \s*+ : \s*+ "(?i:data:) ) )
        # Objects that do.
      | (?: code_?[eE]xecution | enterprise_?[wW]eb_?[sS]earch | file_?[dD]ata | file_?[sS]earch
          | google_?[mM]aps | google_?[sS]earch(?:_?[rR]etrieval)? | search_parameters
          | url_?[cC]ontext | web_search_options )" \s*+ : \s*+ \{
      | (?: audio | conversation )" \s*+ : \s*+ \{ \s*+ "id"
      | prompt" \s*+ : \s*+ \{ \s*+ "(?: id | version | variables )"
      | mcp_servers" \s*+ : \s*+ \[
        # Parts and server tools by their type.
      | type" \s*+ : \s*+ "(?: url" | item_reference" | mcp | web_ | file_search
          | code_(?: interpreter | execution ) | image_generation | tool_search )
        # What could be any of these, spelled with escapes.
      | [A-Za-z_]{0,40}+ %(hidden)b
        # Media.
      | (?P<data_url> (?: (?: audio_ | document_ | file_ | image_ | video_ )?url
            | data | file_data | image )" \s*+ : \s*+ "(?i:data:)
            (?: (?P<mime> [\w.+;=/\\-]{0,100}+ ) , )?+ )
      | (?P<bare> data" \s*+ : \s*+ " )
      | (?P<readable> m(?: edia_type | ime_?[tT]ype )" \s*+ : \s*+ "
            (?: (?i:text) | [A-Za-z]{0,4}+ %(hidden)b ) )
    )
    """
    % {b"hidden": _HIDDEN},
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class BlobScan:
    """What a body carries besides text.

    `count`: pieces of media to count at the per-blob cap; `bytes`: how many of the body's bytes are
    base64 of images and sounds (never more than really are, so `len(body) - bytes` bounds the
    text); `opaque`: content that cannot be seen here is referred to, so only the context window
    bounds the input, and `count` and `bytes` may be incomplete.
    """

    count: int = 0
    bytes: int = 0
    opaque: bool = False

    @property
    def media(self) -> bool:
        """Whether input may be billed in the image and audio buckets."""
        return self.opaque or self.count > 0


class _Medium(Enum):
    """What the first bytes of a blob say it is; OTHER includes documents and plain prose."""

    IMAGE = auto()
    SOUND = auto()
    OTHER = auto()


_PLAIN_TEXT = BlobScan()


def scan(body: bytes) -> BlobScan:
    """Return the media and the references of a JSON request body (any of the surfaces)."""
    match = _find(body, 0)
    if match is None:
        return _PLAIN_TEXT
    count = size = 0
    readable = False
    while match is not None:
        at = match.end()
        if match.lastgroup is None:
            return BlobScan(count, size, opaque=True)
        if match.lastgroup == "readable":
            readable = True
        else:
            pieces, base64 = _measure(body, match)
            count += pieces
            size += base64
            at += base64
        match = _find(body, at)
    # A text document is read as text however its data begins, so nothing may leave the text.
    return BlobScan(count, 0 if readable else size)


def _find(body: bytes, at: int) -> re.Match[bytes] | None:
    """Return the next landmark at or after `at`."""
    if len(body) - at > _SPARSE_FROM:
        for _ in range(_SPARSE_QUOTES):
            at = body.find(b'"', at)
            if at < 0:
                return None
            match = _LANDMARK.match(body, at)
            if match is not None:
                return match
            at += 1
    return _LANDMARK.search(body, at)


def _measure(body: bytes, match: re.Match[bytes]) -> tuple[int, int]:
    """Return (pieces, base64 bytes that are no text) of the string whose data begins at a match."""
    start = match.end()
    end = body.find(b'"', start)
    length = _base64_length(body, start, len(body) if end < 0 else end)
    bare = match.lastgroup == "bare"
    if bare and length < _BARE_MIN:
        return 0, 0
    medium = _medium(body[start : start + 2 * _HEAD_CHARS])
    if medium is _Medium.OTHER or not (bare or _is_media_type(match["mime"])):
        return 1, 0
    return (1 if medium is _Medium.IMAGE else 1 + length // _SOUND_PIECE), length


def _base64_length(body: bytes, start: int, end: int) -> int:
    """Return how many bytes from `start` on are base64; stops at the first byte that is not."""
    at = start
    while at < end and not body[at : min(at + _CHUNK, end)].translate(None, _ALPHABET):
        at += _CHUNK
    if at >= end:
        return end - start
    run = _RUN.match(body, at, end)
    return at - start if run is None else run.end() - start


def _is_media_type(mime: bytes | None) -> bool:
    """Return whether a data URL's header names an image or a sound in base64."""
    if mime is None:
        return False
    lower = mime.lower()
    return lower.startswith((b"image", b"audio")) and lower.endswith(b";base64")


def _medium(base64: bytes) -> _Medium:
    """Return what base64 text begins with, by the file formats' magic bytes."""
    text = base64.replace(b"\\/", b"/")[:_HEAD_CHARS].translate(_URL_SAFE)
    try:
        head = a2b_base64(text, strict_mode=True)
    except Base64Error:
        return _Medium.OTHER
    inner = head[8:12] if head.startswith(b"RIFF") or head[4:8] == b"ftyp" else b""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")) or inner in _IMAGE_INNER:
        return _Medium.IMAGE
    if head.startswith((b"ID3", b"OggS", b"fLaC", *_MPEG_FRAMES)) or inner in _SOUND_INNER:
        return _Medium.SOUND
    return _Medium.OTHER


_IMAGE_INNER = frozenset({b"WEBP", b"avif", b"heic", b"heix", b"mif1"})
_SOUND_INNER = frozenset({b"WAVE", b"M4A "})
_MPEG_FRAMES = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9")
