"""Proof that a post reaches the receiver that was named, and goes nowhere else."""

import logging

import pytest

from tests.services.hooks import hook_server
from tollbridge.upstreams.receiver import PostFailed, Receiver

BODY = b'{"a":1}\n'


def at(server, path: str = "", userinfo: str = "") -> Receiver:
    return Receiver(f"http://{userinfo}127.0.0.1:{server.port}/{path}", deadline_s=5)


async def test_a_post_arrives_with_its_query_added():
    async with hook_server(statuses=[200]) as server:
        status, _ = await at(server, "in?a=1").post({"x-y": "z"}, BODY, {"query": "INSERT b & c"})
    (post,) = server.posts
    assert (status, post.body, post.headers["x-y"]) == (200, BODY, "z")
    assert post.line.startswith("POST /in?a=1&query=INSERT")
    assert "%26" in post.line
    assert post.headers["host"] == f"127.0.0.1:{server.port}"
    assert "authorization" not in post.headers


async def test_user_and_password_travel_in_the_head_alone(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with hook_server() as server:
        receiver = at(server, userinfo="ga%40te:p%3Ass%20word@")
        await receiver.post({}, BODY)
    # printf 'ga@te:p:ss word' | base64
    assert server.posts[0].headers["authorization"] == "Basic Z2FAdGU6cDpzcyB3b3Jk"
    assert server.posts[0].line == "POST / HTTP/1.1"
    assert "p%3Ass" not in caplog.text + repr(receiver)
    assert "p:ss" not in caplog.text


@pytest.mark.parametrize("status", [199, 307, 404, 500])
async def test_any_status_is_told_and_no_redirection_followed(status: int):
    async with hook_server() as other, hook_server(statuses=[status], location=other.url) as server:
        if status == 199:
            # Makes the client wait for more and then find the connection closed.
            with pytest.raises(PostFailed, match="broke off"):
                await at(server).post({}, BODY)
        else:
            assert (await at(server).post({}, BODY))[0] == status
    assert not other.posts


async def test_a_silent_receiver_is_left():
    async with hook_server(silent=True) as server:
        receiver = Receiver(server.url, deadline_s=0.2)
        with pytest.raises(PostFailed, match=r"^did not answer in time$"):
            await receiver.post({}, BODY)


async def test_nobody_listens():
    async with hook_server() as server:
        url = server.url
    with pytest.raises(PostFailed, match=r"^cannot be reached$"):
        await Receiver(url, deadline_s=5).post({}, BODY)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.1.1]"]
)
async def test_some_addresses_are_never_dialled(host: str):
    with pytest.raises(PostFailed, match="never dialled"):
        await Receiver(f"http://{host}/x", deadline_s=5).post({}, BODY)


async def test_a_name_that_nobody_knows():
    with pytest.raises(PostFailed, match="cannot be resolved"):
        await Receiver("http://no-such-host.invalid/", deadline_s=5).post({}, BODY)


async def test_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch):
    async with hook_server() as proxy, hook_server() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await at(server).post({}, BODY)
    assert len(server.posts) == 1
    assert not proxy.posts


@pytest.mark.parametrize("url", ["", "ftp://h/x", "http://", "//h/x", "http://[::"])
def test_what_is_none_to_post_to_is_refused(url: str):
    with pytest.raises(ValueError, match=r"^must be an http:// or https:// URL$"):
        Receiver(url, deadline_s=5)
