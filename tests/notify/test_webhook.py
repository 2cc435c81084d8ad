"""Proof that an event reaches a real receiver signed, and goes nowhere else."""

import logging
from pathlib import Path

import httpx2
import pytest

from tests.services.hooks import hook_server
from tests.upstreams.certificates import Authority
from tollbridge.core.settings import SettingsError, load_settings
from tollbridge.notify.webhook import Webhook, WebhookFailed, signature

BODY = '{"data":"wärme"}'.encode()
SECRET = "whsec-of-the-site"


async def test_an_event_arrives_signed():
    async with hook_server() as server:
        await Webhook(server.url + "?site=1", SECRET).post("alert.opened", "m-1", BODY)
        (post,) = server.posts
    assert post.line == "POST /alerts?site=1 HTTP/1.1"
    assert post.body == BODY
    assert post.headers["host"] == f"127.0.0.1:{server.port}"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["x-tollbridge-event"] == "alert.opened"
    assert post.headers["x-tollbridge-id"] == "m-1"
    stamp = post.headers["x-tollbridge-timestamp"]
    expected = "v1=" + signature(SECRET.encode(), stamp, BODY)
    assert post.headers["x-tollbridge-signature"] == expected


def test_the_signature_is_a_known_one():
    # printf '%s' '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert signature(b"key", "1700000000", b"{}") == (
        "9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


async def test_without_a_secret_nothing_is_signed():
    async with hook_server() as server:
        await Webhook(server.url, "").post("alert.opened", "m-1", BODY)
    assert "x-tollbridge-signature" not in server.posts[0].headers


@pytest.mark.parametrize("status", [199, 301, 307, 400, 410, 500, 503])
async def test_only_success_takes_it(status: int):
    # 199 makes the client wait for more and then find the connection closed.
    async with hook_server() as other, hook_server(statuses=[status], location=other.url) as server:
        with pytest.raises(WebhookFailed):
            await Webhook(server.url, SECRET).post("alert.opened", "m-1", BODY)
    assert len(server.posts) == 1
    assert not other.posts


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_each_success_counts(status: int):
    async with hook_server(statuses=[status]) as server:
        await Webhook(server.url, SECRET).post("alert.opened", "m-1", BODY)


async def test_a_silent_receiver_is_left():
    async with hook_server(silent=True) as server:
        hook = Webhook(server.url, SECRET, deadline_s=0.2)
        with pytest.raises(WebhookFailed, match="in time"):
            await hook.post("alert.opened", "m-1", BODY)
    assert len(server.posts) == 1


async def test_nobody_listens():
    async with hook_server() as server:
        url = server.url
    with pytest.raises(WebhookFailed, match="cannot be reached"):
        await Webhook(url, SECRET).post("alert.opened", "m-1", BODY)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "100.100.100.200", "0.0.0.0", "[::ffff:169.254.169.254]"],
)
async def test_some_addresses_are_never_dialled(host: str):
    with pytest.raises(WebhookFailed, match="never dialled"):
        await Webhook(f"http://{host}/x", SECRET).post("alert.opened", "m-1", BODY)


async def test_a_name_that_nobody_knows():
    with pytest.raises(WebhookFailed, match="resolved"):
        await Webhook("http://no-such-host.invalid/", SECRET).post("alert.opened", "m-1", BODY)


async def test_the_certificate_is_checked_against_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
    async with hook_server(tls=authority.server("localhost")) as server:
        hook = Webhook(f"https://localhost:{server.port}/", SECRET)
        await hook.post("alert.opened", "m-1", BODY)
        with pytest.raises(WebhookFailed, match="cannot be reached"):
            await Webhook(f"https://127.0.0.1:{server.port}/", SECRET).post("e", "m-2", BODY)
    assert [post.headers["x-tollbridge-id"] for post in server.posts] == ["m-1"]
    assert server.posts[0].headers["host"] == f"localhost:{server.port}"


async def test_the_address_that_was_judged_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The name resolves nowhere else: whoever asks again cannot be led elsewhere, and TLS holds."""

    class Judged(Webhook):
        async def _addresses(self) -> list[str]:
            # Nobody listens at the first.
            return ["127.0.0.2", "127.0.0.1"]

    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
    async with hook_server(tls=authority.server("hooks.invalid")) as server:
        await Judged(f"https://hooks.invalid:{server.port}/", SECRET).post("e", "m-1", BODY)
    assert server.posts[0].headers["host"] == f"hooks.invalid:{server.port}"


async def test_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch):
    async with hook_server() as proxy, hook_server() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await Webhook(server.url, SECRET).post("alert.opened", "m-1", BODY)
    assert len(server.posts) == 1
    assert not proxy.posts


async def test_neither_url_nor_secret_is_told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    async with hook_server(statuses=[500]) as server:
        hook = Webhook(server.url + "?token=abcdefgh", SECRET)
        with pytest.raises(WebhookFailed) as caught:
            await hook.post("alert.opened", "m-1", BODY)
    assert str(caught.value) == "the webhook answered 500"
    assert "abcdefgh" not in caplog.text
    assert SECRET not in caplog.text + repr(hook)


@pytest.mark.parametrize(
    "url", ["ftp://a.b/", "a.b/c", "http://", "https:///x", "http://a:b:c/", "//x"]
)
def test_what_is_no_url(url: str):
    with pytest.raises(SettingsError, match="alert_webhook_url"):
        Webhook(url, SECRET)


def test_settings_name_it_or_not():
    assert Webhook.of(load_settings()) is None
    named = Webhook.of(load_settings(alert_webhook_url="https://hooks.example.test/a"))
    assert named is not None
    assert named._url == httpx2.URL("https://hooks.example.test/a")
