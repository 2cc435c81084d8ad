"""Owns the reading of a compose file: what each service is, as far as this project uses compose.

Whatever it does not know is an error, so that the file cannot say more than the tests understand.
Must not know how a service becomes a process.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TOP = frozenset({"name", "services", "networks", "volumes", "secrets"})
# These shape what a process does, and `Service` has them.
_MEANT = frozenset({
    "command", "depends_on", "env_file", "environment", "healthcheck", "image", "networks",
    "secrets", "stop_grace_period", "stop_signal", "tmpfs", "volumes",
})  # fmt: skip
# These fence a container in; a plain process has nothing like them.
_FENCES = frozenset({
    "build", "cap_add", "cap_drop", "deploy", "init", "logging", "ports", "read_only", "restart",
    "security_opt", "shm_size", "ulimits", "user",
})  # fmt: skip
_CHECK = frozenset({"test", "interval", "timeout", "retries", "start_period"})
_CONDITIONS = frozenset({"service_healthy", "service_completed_successfully"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:(:-|:\?)([^}]*))?\}|(\$)|(.?))")
_DURATION = re.compile(r"(\d+)s")


class NotUnderstood(Exception):
    """The compose file says something that the tests do not map; the text names it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `mounts` are (path inside, path outside); None outside is an empty folder."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[tuple[str, Path | None], ...]
    needs: Mapping[str, str]
    health: tuple[str, ...]
    networks: frozenset[str]
    stop_signal: str
    grace_s: int
    raw: Mapping[str, Any]


def load(file: Path, environ: Mapping[str, str]) -> dict[str, Service]:
    """Return the services of a compose file in the order in which they can start."""
    table = yaml.safe_load(interpolated(file.read_text(encoding="utf-8"), environ))
    unknown = {key for key in table if not key.startswith("x-")} - _TOP
    if unknown:
        raise NotUnderstood(f"top level: {sorted(unknown)}")
    services = {
        name: _service(name, entry, table, file.parent) for name, entry in table["services"].items()
    }
    return {service.name: service for service in _ordered(services)}


def interpolated(text: str, environ: Mapping[str, str]) -> str:
    """Replace ${NAME}, ${NAME:-default} and ${NAME:?sentence}; `$$` is a dollar."""

    def value(match: re.Match[str]) -> str:
        name, how, rest, dollar, other = match.groups()
        if dollar:
            return "$"
        if other is not None:
            raise NotUnderstood(f"variable: {match.group(0)}")
        given = environ.get(name, "")
        if not given and how == ":?":
            raise NotUnderstood(f"{name} is not set: {rest}")
        return given or (rest if how == ":-" else "")

    return _VARIABLE.sub(value, text)


def _service(name: str, entry: Mapping[str, Any], table: Mapping[str, Any], home: Path) -> Service:
    unknown = entry.keys() - _MEANT - _FENCES
    if unknown:
        raise NotUnderstood(f"{name}: {sorted(unknown)}")
    networks = frozenset(entry["networks"])
    if networks - (table["networks"]).keys():
        raise NotUnderstood(f"{name}: a network that is not declared")
    return Service(
        name,
        entry["image"],
        tuple(_words(name, entry["command"])),
        _environment(name, entry, home),
        (*_volumes(name, entry, table, home), *_secrets(entry, table, home)),
        _needs(name, entry.get("depends_on", {})),
        _health(name, entry.get("healthcheck")),
        networks,
        entry.get("stop_signal", "SIGTERM"),
        _seconds(entry.get("stop_grace_period", "10s")),
        entry,
    )


def _words(name: str, command: object) -> list[str]:
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise NotUnderstood(f"{name}: command must be a list of strings")
    return command


def _environment(name: str, entry: Mapping[str, Any], home: Path) -> dict[str, str]:
    given = entry.get("environment", {})
    for file in entry.get("env_file", []):
        if (
            file.keys() != {"path", "required"}
            or file["required"]
            or (home / file["path"]).exists()
        ):
            raise NotUnderstood(f"{name}: env_file")
    for variable, value in given.items():
        if isinstance(value, bool | float) or value is None:
            raise NotUnderstood(f"{name}: {variable} must be quoted")
    return {variable: str(value) for variable, value in given.items()}


def _volumes(
    name: str, entry: Mapping[str, Any], table: Mapping[str, Any], home: Path
) -> Iterator[tuple[str, Path | None]]:
    for line in entry.get("tmpfs", []):
        yield line.partition(":")[0], None
    for line in entry.get("volumes", []):
        source, inside, *mode = line.split(":")
        if mode not in ([], ["ro"]):
            raise NotUnderstood(f"{name}: volume {line}")
        if source.startswith("./"):
            yield inside, home / source
        elif source in table["volumes"]:
            yield inside, None
        else:
            raise NotUnderstood(f"{name}: volume {source} is not declared")


def _secrets(
    entry: Mapping[str, Any], table: Mapping[str, Any], home: Path
) -> Iterator[tuple[str, Path]]:
    for name in entry.get("secrets", []):
        secret = table["secrets"][name]
        if secret.keys() != {"file"}:
            raise NotUnderstood(f"secret {name}")
        yield f"/run/secrets/{name}", home / secret["file"]


def _needs(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    for other, how in given.items():
        if how.keys() != {"condition"} or how["condition"] not in _CONDITIONS:
            raise NotUnderstood(f"{name}: depends_on {other}")
    return {other: how["condition"] for other, how in given.items()}


def _health(name: str, check: Mapping[str, Any] | None) -> tuple[str, ...]:
    if check is None:
        return ()
    if check.keys() - _CHECK or check["test"][0] != "CMD":
        raise NotUnderstood(f"{name}: healthcheck")
    return tuple(_words(name, check["test"][1:]))


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise NotUnderstood(f"duration: {text}")
    return int(match[1])


def _ordered(services: Mapping[str, Service]) -> Iterator[Service]:
    """Yield each service after all that it needs."""
    done: set[str] = set()
    while len(done) < len(services):
        free = [
            one for one in services.values() if one.name not in done and one.needs.keys() <= done
        ]
        if not free:
            raise NotUnderstood(f"depends_on in a circle: {sorted(services.keys() - done)}")
        for service in free:
            yield service
            done.add(service.name)
