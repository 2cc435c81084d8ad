"""The proof of deploy/nginx: the file is accepted, and streams pass it unbuffered."""

import asyncio
import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.services.gateway import KEY, Gateway, chat, frames, running
from tests.services.ports import free_port

FILE = Path(__file__).resolve().parent.parent.parent / "deploy" / "nginx" / "tollbridge.conf"
_TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _program() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert found is not None, "nginx is not installed: tools/system_packages.py"
    return found


def _configured(folder: Path, text: str) -> Path:
    """Write what surrounds a file of conf.d/."""
    temp = "\n".join(f"{name}_temp_path {folder}/{name};" for name in _TEMP)
    (folder / "tollbridge.conf").write_text(text)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/log warn;\n"
        f"events {{}}\nhttp {{\n{temp}\naccess_log off;\ninclude {folder}/tollbridge.conf;\n}}\n"
    )
    return file


@contextlib.contextmanager
def served(text: str, port: int, gateway: Gateway) -> Iterator[httpx2.AsyncClient]:
    """Run nginx with the file's text and yield a client of it."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    folder.chmod(0o755)
    file = _configured(folder, text)
    process = subprocess.Popen([_program(), "-p", folder, "-c", file, "-e", folder / "log"])
    headers = {"authorization": f"Bearer {KEY}"}
    try:
        yield httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
        )
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def plain(port: int, gateway: Gateway) -> str:
    """Return the file's text for loopback: one gateway serves, the other is down; no TLS."""
    text = FILE.read_text()
    for line in ("listen 443 ssl http2;", "server gateway-1:8080 max", "server gateway-2:8080 max"):
        assert text.count(line) == 1
    text = text.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
    text = text.replace("gateway-1:8080", f"127.0.0.1:{free_port()}")
    text = text.replace("gateway-2:8080", f"127.0.0.1:{gateway.port}")
    return re.sub(r"\n *ssl_\w+ [^;]+;", "", text)


async def _up(client: httpx2.AsyncClient) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx2.TransportError):
            await client.get("/healthz")
            return
        await asyncio.sleep(0.05)
    pytest.fail("nginx did not come up")


async def test_calls_and_streams_pass_and_a_dead_gateway_is_passed_over(tmp_path: Path):
    async with running(tmp_path) as (gateway, fake):
        port = free_port()
        with served(plain(port, gateway), port, gateway) as client:
            await _up(client)
            replies = [await client.post("/v1/chat/completions", json=chat()) for _ in range(6)]
            assert [reply.status_code for reply in replies] == [200] * 6
            assert len(fake.books.calls) == 6
            body = chat(stream=True, fake={"tokens": 20, "event_delay_ms": 150})
            async with client.stream("POST", "/v1/chat/completions", json=body) as reply:
                pieces, seen = reply.aiter_raw(), b""
                while b'"content":"' not in seen:
                    seen += await anext(pieces)
                assert fake.books.open_streams == 1 and fake.books.calls[-1].tokens_out < 20
                seen += b"".join([piece async for piece in pieces])
            assert list(frames(seen))[-1] == b"[DONE]"
            assert (await client.get("/metrics")).status_code == 404
            await client.aclose()
        gateway.verify()


async def test_a_client_that_leaves_ends_the_call(tmp_path: Path):
    async with running(tmp_path) as (gateway, fake):
        port = free_port()
        with served(plain(port, gateway), port, gateway) as client:
            await _up(client)
            body = chat(stream=True, fake={"delay_ms": 60_000})
            call = asyncio.create_task(client.post("/v1/chat/completions", json=body))
            while not fake.books.calls:
                await asyncio.sleep(0.02)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            await asyncio.to_thread(gateway.wait_settled)
            await client.aclose()


def test_nginx_accepts_the_file_as_it_is(tmp_path: Path):
    """With its TLS: only names and certificate are replaced."""
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    _self_signed(certificate, key)
    text = FILE.read_text().replace("/etc/ssl/tollbridge", str(tmp_path))
    text = re.sub(r"gateway-\d:8080", "127.0.0.1:9", text).replace("443", str(free_port()))
    done = subprocess.run(
        [_program(), "-t", "-p", tmp_path, "-c", _configured(tmp_path, text), "-e", tmp_path / "log"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def _self_signed(certificate: Path, key: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.example.com")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, private.public_key(), 1, now, now + timedelta(1))
    certificate.write_bytes(
        built.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
