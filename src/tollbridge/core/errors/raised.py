"""Owns the one exception that ends a customer's call. Must not know how it will be shown."""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.core.errors.kinds import Kind
from tollbridge.core.errors.paths import right_path

_NO_FACTS: Mapping[str, str] = MappingProxyType({})


class ApiError(Exception):
    """A call ends with an error of the catalogue.

    `message` speaks to the customer where the profile has no words of its own. `code` narrows the
    row's code. `param` names the field at fault. `retry_after_s` is a wait in seconds, used only
    by kinds that may be retried. `facts` fill the texts:

    model, method, path; key_last6 (at most 6 characters of it are shown); nearest (names that were
    perhaps meant, separated by commas); fixed_channel (not empty: the call is bound or pinned to
    one channel); type (the vendor's own type of a refused request); allow (the methods of a path).

    Its text as an exception is the kind alone: a message may quote the customer's request, and
    exceptions reach the log.
    """

    def __init__(
        self,
        kind: Kind,
        message: str | None = None,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
        facts: Mapping[str, str] = _NO_FACTS,
    ) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.message = message
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
        self.facts = facts


def not_found(method: str, path: str) -> ApiError:
    """Return the error of a path that does not exist, naming the right one when we can guess it."""
    nearest = right_path(path) or ""
    facts = {"method": method, "path": path.partition("?")[0], "nearest": nearest}
    return ApiError(Kind.NOT_FOUND, facts=facts)
