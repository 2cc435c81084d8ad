"""Owns a compose file's services as plain processes on loopback: same commands, environment, files.

What differs is said here and nowhere else: names of services become 127.0.0.1 with ports of their
own, paths inside containers become paths in a throw-away folder, and images become the programs of
this machine with what their entrypoints do. Must not know what the tests ask of the services.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.composed import NotUnderstood, Service
from tests.services import postgres, redis
from tests.services.ports import free_port
from tests.services.postgres import _die_with_parent

UP_S = 60


@dataclass(frozen=True, slots=True)
class Image:
    """What stands for an image: its programs, ports that are named in files, environment, set-up."""

    programs: Mapping[str, Callable[[], list[str]]]
    ports: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()


def _on_path(*names: str) -> list[str]:
    found = next(filter(None, map(shutil.which, names)), None)
    assert found is not None, f"none of {names} is installed: tools/system_packages.py"
    return [found]


def _postgres_program(name: str) -> Callable[[], list[str]]:
    return lambda: [str(postgres.program_folder() / name)]


IMAGES = {
    "tollbridge": Image(
        {
            "tollbridge": lambda: [sys.executable, "-m", "tollbridge.cli"],
            "python": lambda: [sys.executable],
        },
        (8080,),
        entrypoint=("tollbridge",),
    ),
    "postgres": Image(
        {name: _postgres_program(name) for name in ("postgres", "pg_isready", "initdb", "psql")},
        (5432,),
    ),
    "valkey/valkey": Image(
        {
            "valkey-server": lambda: [redis.program()],
            "valkey-cli": lambda: _on_path("valkey-cli", "redis-cli"),
        },
        (6379,),
    ),
    "caddy": Image(
        {"caddy": lambda: _on_path("caddy")},
        (2019,),
        {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"},
    ),
}


class Stack:
    """The services of one compose file. `start` all, use `url`, `kill` one, `stop` all in order."""

    def __init__(self, services: Mapping[str, Service], folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {
            (service.name, port): free_port()
            for service in services.values()
            for port in _image(service).ports
        }
        self._places = {service.name: dict(self._placed(service)) for service in services.values()}
        self._fill()

    def start(self, name: str) -> None:
        """Start one service once what it depends on is as the file wants it.

        Only in the thread that runs the tests: the service ends with the thread that started it.
        """
        assert threading.current_thread() is threading.main_thread()
        service = self.services[name]
        for other, condition in service.needs.items():
            if condition == "service_healthy":
                self.wait_healthy(other)
            elif self.processes[other].wait(UP_S) != 0:
                raise AssertionError(f"{other} failed:\n{self.log(other)}")
        if service.image.startswith("postgres"):
            self._make_cluster(service)
        self.processes[name] = self._spawn(service, self.command(service))

    def wait_healthy(self, name: str) -> None:
        """Wait until the service's own healthcheck says so."""
        service = self.services[name]
        if not service.health:
            raise NotUnderstood(f"{name} has no healthcheck")
        deadline = time.monotonic() + UP_S
        while not self.healthy(name):
            if time.monotonic() > deadline or self.processes[name].poll() is not None:
                raise AssertionError(f"{name} did not come up:\n{self.log(name)}")
            time.sleep(0.1)

    def healthy(self, name: str) -> bool:
        """Run the service's healthcheck once."""
        return self.run(name, *self.services[name].health).returncode == 0

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the place of a service, as `compose run` or `exec` would."""
        service = self.services[name]
        return subprocess.run(
            self._resolved(service, words),
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_S,
            **_as_user(service),
        )

    def kill(self, name: str) -> None:
        """End a service as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait(10)

    def stop(self, name: str) -> int:
        """Send the service's stop signal and return its exit status; 999 when it took too long."""
        process, service = self.processes[name], self.services[name]
        if process.poll() is None:
            process.send_signal(getattr(signal, service.stop_signal))
        try:
            return process.wait(service.grace_s)
        except subprocess.TimeoutExpired:
            self.kill(name)
            return 999

    def end(self) -> None:
        """End whatever still runs, last started first."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.kill()
            process.wait(10)

    def log(self, name: str) -> str:
        """Return the end of what a service printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def environment(self, service: Service) -> dict[str, str]:
        """Return the whole environment of a service's process: the file's, the image's, a PATH."""
        own = _image(service).environment | dict(service.environment)
        home = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"}
        return home | {name: self.mapped(service, value) for name, value in own.items()}

    def command(self, service: Service) -> list[str]:
        """Return the words that start a service."""
        image = _image(service)
        words = self._resolved(service, (*image.entrypoint, *service.command))
        if "postgres" in image.programs:
            place, port = (
                self.place(service, "/var/lib/postgresql/data"),
                self.ports[service.name, 5432],
            )
            words += ["-D", str(place), f"--port={port}", "--listen_addresses=127.0.0.1"]
            words += [f"--unix_socket_directories={self.place(service, '/var/run/postgresql')}"]
        return words

    def program(self, service: Service, name: str) -> list[str]:
        """Return the words that start a program of a service's image."""
        if name not in _image(service).programs:
            raise NotUnderstood(f"{service.name}: nothing stands for the program {name}")
        return _image(service).programs[name]()

    def place(self, service: Service, inside: str) -> Path:
        """Return where a path inside a container is outside."""
        return self._places[service.name][inside]

    def mapped(self, service: Service, text: str) -> str:
        """Replace names of services, a service's own ports and paths inside by what stands for them."""
        for (name, port), mine in self.ports.items():
            text = re.sub(rf"\b{re.escape(name)}:{port}\b", f"127.0.0.1:{mine}", text)
            if name == service.name:
                text = re.sub(rf"(?<![\w.]){port}\b", str(mine), text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        # One pass, the longest first: what was put in, now or before, is left as it is.
        places = {inside: str(place) for inside, place in self._places[service.name].items()}
        inside = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
        known = rf"(?<![\w/.-])(?:{re.escape(str(self.folder))}|{inside})(?![\w-])"
        return re.sub(known, lambda match: places.get(match[0], match[0]), text)

    def _resolved(self, service: Service, words: tuple[str, ...]) -> list[str]:
        program, *rest = words
        return self.program(service, program) + [self.mapped(service, word) for word in rest]

    def _spawn(self, service: Service, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{service.name}.log").open("ab") as out:
            return subprocess.Popen(
                words,
                env=self.environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - only waiting threads are about
                **_as_user(service),
            )

    def _placed(self, service: Service) -> Iterator[tuple[str, Path]]:
        """Lay out a service's mounts: folders empty, files with their names and ports replaced."""
        home = self.folder / service.name
        home.mkdir()
        _give(home, service)
        for inside, outside in service.mounts:
            place = home / inside.strip("/").replace("/", "-")
            if outside is None or outside.is_dir():
                place.mkdir()
            else:
                place.write_bytes(outside.read_bytes())
                place.chmod(outside.stat().st_mode & 0o777)
            _give(place, service)
            yield inside, place

    def _fill(self) -> None:
        """Replace names, ports and paths in the files that were laid out."""
        for service in self.services.values():
            for place in self._places[service.name].values():
                if place.is_file():
                    place.write_text(self.mapped(service, place.read_text()))

    def _make_cluster(self, service: Service) -> None:
        """What the image's entrypoint does before it starts the server for the first time."""
        environ = self.environment(service)
        if set(service.environment) != {
            *("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS")
        }:
            raise NotUnderstood(f"{service.name}: {sorted(service.environment)}")
        data = str(self.place(service, "/var/lib/postgresql/data"))
        user = environ["POSTGRES_USER"]
        password = f"--pwfile={environ['POSTGRES_PASSWORD_FILE']}"
        extra = environ["POSTGRES_INITDB_ARGS"].split()
        made = self.run(
            service.name, "initdb", "-D", data, "-U", user, password, "--no-sync", *extra
        )
        assert made.returncode == 0, made.stderr
        create = f"CREATE DATABASE {environ['POSTGRES_DB']}\n"
        single = subprocess.run(
            [*_postgres_program("postgres")(), "--single", "-j", "-D", data, "postgres"],
            input=create, env=environ, capture_output=True, text=True, check=False,
            **_as_user(service),
        )  # fmt: skip
        assert single.returncode == 0 and "ERROR" not in single.stderr, single.stderr


def _image(service: Service) -> Image:
    name = service.image.partition(":")[0]
    if name not in IMAGES:
        raise NotUnderstood(f"{service.name}: nothing stands for the image {service.image}")
    return IMAGES[name]


def _as_user(service: Service) -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0 or not service.image.startswith("postgres"):
        return {}
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give(place: Path, service: Service) -> None:
    user = _as_user(service)
    if user:
        os.chown(place, user["user"], user["group"])
