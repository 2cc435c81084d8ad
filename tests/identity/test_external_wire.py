"""Where requests to a sign-in site may go, and how much of an answer is read."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.oidc import Provider, running
from tollbridge.identity.external_identity import Fault, ProviderFailed
from tollbridge.identity.external_wire import ANSWER_MAX, Wire


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as started:
        yield started


async def fault(home: str, url: str) -> Fault:
    with pytest.raises(ProviderFailed) as caught:
        await Wire(home).read(url)
    return caught.value.fault


async def test_the_host_of_the_configuration_may_be_private_and_no_other(
    provider: Provider,
) -> None:
    url = f"{provider.issuer}/.well-known/openid-configuration"
    assert (await Wire(provider.issuer).read(url))["issuer"] == provider.issuer
    before = len(provider.asked())
    assert await fault("https://login.example.com", url) is Fault.UNREACHABLE
    assert len(provider.asked()) == before


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0"])
async def test_metadata_services_are_never_dialled(host: str) -> None:
    assert await fault(f"http://{host}", f"http://{host}/latest") is Fault.UNREACHABLE


async def test_a_port_that_nobody_listens_on_is_a_fault() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        home = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert await fault(home, f"{home}/x") is Fault.UNREACHABLE


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([200, '"' + "x" * (ANSWER_MAX - 2) + '"'], None),
        ([200, '"' + "x" * ANSWER_MAX + '"'], Fault.UNREACHABLE),
        ([301, "{}"], Fault.ANSWER),
        ([204, ""], Fault.ANSWER),
        ([200, ""], Fault.ANSWER),
    ],
)
async def test_answers_are_bounded_and_never_followed(
    provider: Provider, answer: list[Any], expected: Fault | None
) -> None:
    provider.tell(answers={"/x": answer})
    url = f"{provider.issuer}/x"
    if expected is None:
        assert await Wire(provider.issuer).read(url) == json.loads(answer[1])
    else:
        assert await fault(provider.issuer, url) is expected


async def test_an_answer_that_would_have_to_be_unpacked_is_refused() -> None:
    body = gzip.compress(b"{}")
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        home = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await fault(home, f"{home}/x") is Fault.UNREACHABLE
