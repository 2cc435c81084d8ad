"""Owns which paths are metered calls and what each speaks. Pure: a table and a look-up."""

from tollbridge.relay.dialects import CHAT, COMPLETIONS, Dialect

_ROUTES = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS}
PATHS = frozenset(_ROUTES)


def match(path: str) -> Dialect | None:
    """Return the dialect of a metered path, None for every other path."""
    return _ROUTES.get(path)


def is_relayed(method: str, path: str) -> bool:
    """Whether the edge hands such a request to the relay."""
    return method == "POST" and path in _ROUTES
