"""Owns how a fault that the configuration file's readers find is told to who asks here. Pure."""

from collections.abc import Mapping

from tollbridge.api.admin.problems import Problem, invalid
from tollbridge.catalog.fields import FileError


def blamed(error: FileError, names: Mapping[str, str]) -> Problem:
    """Return the problem of a faulty field; `names` has fields that are called otherwise here."""
    name = names.get(error.field, error.field)
    reason = error.reason[:1].upper() + error.reason[1:]
    return invalid(f"body.{name}" if name else "body", f"{reason}.")
