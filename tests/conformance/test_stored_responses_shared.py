"""Stored responses where two processes serve from one PostgreSQL and one Redis: each knows them all."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.conformance.shop import Vendor
from tests.conformance.test_stored_responses import ANN, BOB, catalogue, make
from tests.services import nursery
from tests.services.plain import PLAIN
from tests.services.ports import free_port
from tests.services.sdk_received import openai_client

PATIENCE_S = 60


class Process:
    """One serving process."""

    def __init__(self, folder: Path, environ: dict[str, str], *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{self.port}.log"
        words = ("serve", "--port", str(self.port), *options)
        self.child = nursery.start(words, environ, self.log)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with httpx2.Client(base_url=self.url, verify=PLAIN, trust_env=False) as client:
            while time.monotonic() < deadline and self.child.poll() is None:
                with contextlib.suppress(httpx2.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(10)


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str, redis_url: str) -> Iterator[Any]:
    vendor = Vendor()
    vendor.start()
    environ = {
        **os.environ,
        "TOLLBRIDGE_KEY_FILE": str(tmp_path / "keys"),
        "TOLLBRIDGE_REDIS_URL": redis_url,
    }
    options = ("--database", postgres_url)
    processes: list[Process] = []
    try:
        file = tmp_path / "config.toml"
        file.write_text(catalogue(vendor.url), encoding="utf-8")
        for words in (("migrate",), ("apply", str(file))):
            done = nursery.run((*words, *options), environ)
            assert done.returncode == 0, done.stderr
        processes += [Process(tmp_path, environ, *options) for _ in range(2)]
        for process in processes:
            process.wait_ready()
        yield vendor.books, processes
    finally:
        for process in processes:
            process.stop()
        vendor.stop()


def test_what_one_process_made_another_goes_on_from_and_no_other_user_does(
    pair, redis_server, tmp_path
):
    books, (one, other) = pair
    with openai_client(one.url, ANN) as here, openai_client(other.url, ANN) as there:
        for _ in range(6):
            previous = make(here)
            home = books.calls[-1].secret
            following = make(there, previous_response_id=previous.id)
            assert books.calls[-1].secret == home
            assert make(here, previous_response_id=following.id).id
            assert books.calls[-1].secret == home
            assert there.responses.retrieve(previous.id).id == previous.id
            with (
                openai_client(other.url, BOB) as bob,
                pytest.raises(openai.BadRequestError, match=r"(?i)not found"),
            ):
                make(bob, previous_response_id=previous.id)
        there.responses.delete(previous.id)
        with pytest.raises(openai.BadRequestError):
            make(there, previous_response_id=previous.id)
        kept = redis_server.ask("KEYS", "*")
        assert "tollbridge:bound:" in kept
        assert "resp_" not in kept
        # Without Redis nothing fails that its own process knows, and all else is unknown.
        redis_server.freeze()
        try:
            own = make(here)
            assert make(here, previous_response_id=own.id).id
            with pytest.raises(openai.BadRequestError):
                make(there, previous_response_id=own.id)
        finally:
            redis_server.thaw()
    assert "resp_" not in "".join(file.read_text() for file in tmp_path.glob("*.log"))
