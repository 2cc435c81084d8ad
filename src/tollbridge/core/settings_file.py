"""Owns where settings come from: the file, its faults, and how a fault is said.

Must not know which settings there are. Values never appear in messages: a URL may hold a password.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from pydantic_core import ErrorDetails

ENV_PREFIX = "TOLLBRIDGE_"


class SettingsError(Exception):
    """The settings cannot be used; the text has one line a fault and never a value."""


def env_name(name: str) -> str:
    """Return the environment variable of a setting."""
    return ENV_PREFIX + name.upper()


def read_file(path: Path, known: Sequence[str], env_only: Set[str]) -> dict[str, object]:
    """Return what a TOML file sets; SettingsError for what cannot be read, is unknown or not for files."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {_position(error)}") from None
    refuse_unknown(table, str(path), known)
    for name in sorted(env_only & table.keys()):
        raise SettingsError(f"{path}: {name} is read from {env_name(name)} only, never from a file")
    return table


def _position(error: ValueError) -> str:
    """Tell where a file is broken, not what stands there."""
    return str(error).rpartition("(")[2].rstrip(")") if "(at " in str(error) else "not UTF-8"


def refuse_unknown(given: Mapping[str, object], origin: str, known: Sequence[str]) -> None:
    """Raise SettingsError for names that no setting has, with the nearest that one has."""
    lines = []
    for name in given:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; see serve --help-settings"
        lines.append(f"{origin}: unknown setting {name}{hint}")
    if lines:
        raise SettingsError("\n".join(lines))


def sentence_of(
    fault: ErrorDetails,
    given: Mapping[str, object],
    in_file: Mapping[str, object],
    config_file: Path | None,
) -> str:
    """Return what is wrong with a setting and where it was given; never its value."""
    reason = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return reason
    name = str(fault["loc"][0])
    variables = {variable.upper() for variable, value in os.environ.items() if value}
    if name in given:
        origin = "on the command line"
    elif env_name(name) in variables:
        origin = f"in {env_name(name)}"
    elif name in in_file:
        origin = f"in {config_file}"
    else:
        origin = "by default"
    # Of a list of tables it is told which one and which of its names.
    whole = ".".join(str(part) for part in fault["loc"])
    return f"{whole} ({origin}): {reason}"
