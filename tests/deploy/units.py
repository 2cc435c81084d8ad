"""Owns the reading of systemd units, as far as this project's go: sections, repeated keys, drop-ins."""

from collections.abc import Mapping
from pathlib import Path

Unit = dict[str, dict[str, list[str]]]


def load(*files: Path) -> Unit:
    """Return a unit and its drop-ins as section -> key -> values; ValueError for what is no line."""
    unit: Unit = {}
    section: dict[str, list[str]] | None = None
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith("["):
                section = unit.setdefault(text.strip("[]"), {})
                continue
            key, equals, value = text.partition("=")
            if section is None or not equals or value.endswith("\\"):
                raise ValueError(f"{file.name}: {line}")
            section.setdefault(key, []).append(value)
    return unit


def environment(unit: Unit, specifiers: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what `Environment=` lines set, paths of the unit replaced as `specifiers` say."""
    pairs = dict(line.split("=", 1) for line in unit["Service"].get("Environment", []))
    for old, new in (specifiers or {}).items():
        pairs = {name: value.replace(old, new) for name, value in pairs.items()}
    return pairs


def env_file(file: Path) -> dict[str, str]:
    """Return what an environment file sets, and what its commented lines would."""
    lines = [line.lstrip("#") for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and line[0].isupper() and "=" in line]
    return {name: value for name, _, value in pairs if name.replace("_", "").isalnum()}
