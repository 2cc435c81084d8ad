"""Owns texts that are made in English below the pages, and that a page can say in its own language. Pure.

To the command line, programs and logs a phrase is its English text. Must not know any language.
"""


class Phrase(str):
    """An English text that keeps the pattern and the values that it was made of."""

    __slots__ = ("msgid", "values")
    msgid: str
    values: dict[str, object]

    def __new__(
        cls, text: str, msgid: str = "", values: dict[str, object] | None = None
    ) -> "Phrase":
        """Make the phrase of a text whose pattern is marked elsewhere; "" is the text itself."""
        made = super().__new__(cls, text)
        made.msgid = msgid or text
        made.values = values or {}
        return made


def phrase(msgid: str, /, **values: object) -> Phrase:
    """Return the phrase of a pattern such as "%(name)s is too long" and its values, themselves phrases or not.

    The mark of the text as well: the catalogues are made of these calls.
    """
    return Phrase(msgid % values, msgid, values)


def reason_of(error: Exception) -> str:
    """Return what an error was raised with, a phrase where it was one; `str` would only have its text."""
    reason = error.args[0] if error.args else ""
    return reason if isinstance(reason, str) else str(error)
