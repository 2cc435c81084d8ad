"""Whoever is not shown to be a person is kept out, also while nobody can tell."""

from typing import Any

import pytest

from tests.services.token_server import token_server
from tollbridge.core.settings import Settings, SettingsError, load_settings
from tollbridge.web.captcha import FIELDS, UNPROVED, UNREACHABLE, Captcha, captcha_of
from tollbridge.web.forms import Form

WHOLE = {
    "captcha_verify_url": "http://127.0.0.1:1/verify",
    "captcha_secret": "not for the world",
    "captcha_site_key": "for everybody",
    "captcha_script_url": "https://widget.test:8443/api.js?render=explicit",
}


def form(text: str = "a response", name: str = FIELDS[0]) -> Form:
    return Form({name: [text]})


@pytest.mark.parametrize("name", FIELDS)
async def test_the_service_is_asked_with_what_the_widget_said(name: str) -> None:
    async with token_server() as server:
        server.answers = [(200, {"success": True, "hostname": "site.test"})]
        assert await Captcha(server.url, "not for the world").fault(form(name=name), "::1") is None
    assert server.asked == [
        {"secret": "not for the world", "response": "a response", "remoteip": "::1"}
    ]


@pytest.mark.parametrize("answer", [{"success": False}, {"success": "true"}, {"success": 1}, {}])
async def test_whatever_is_not_true_is_no_proof(answer: dict[str, Any]) -> None:
    async with token_server() as server:
        server.answers = [(200, answer)]
        assert await Captcha(server.url, "x").fault(form(), "::1") == UNPROVED


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (500, {"success": True}),
        (302, {"success": True}),
        (200, b"no JSON"),
        (200, b"\xff\xfe"),
        (200, [True]),
        (200, b'{"success": true, "more": "' + b"x" * 70_000 + b'"}'),
        (200, b"[" * 60_000),
    ],
)
async def test_a_service_that_cannot_be_understood_lets_nobody_in(answer: Any) -> None:
    async with token_server() as server:
        server.answers = [answer]
        assert await Captcha(server.url, "x").fault(form(), "::1") == UNREACHABLE
    assert server.count == 1


async def test_a_service_that_is_silent_or_not_there_lets_nobody_in() -> None:
    async with token_server() as server:
        server.gate.clear()
        captcha = Captcha(server.url, "x", deadline_s=0.2)
        assert await captcha.fault(form(), "::1") == UNREACHABLE
    assert await captcha.fault(form(), "::1") == UNREACHABLE


@pytest.mark.parametrize("text", ["", "x" * 10_000])
async def test_without_a_response_nobody_is_asked(text: str) -> None:
    async with token_server() as server:
        assert await Captcha(server.url, "x").fault(form(text), "::1") == UNPROVED
        assert await Captcha(server.url, "x").fault(Form({}), "::1") == UNPROVED
    assert server.count == 0


def test_there_is_none_without_settings() -> None:
    assert captcha_of(Settings()) is None
    assert Settings().captcha_origin == ""


def test_one_service_is_made_once_and_its_scripts_origin_is_known() -> None:
    settings = load_settings(**WHOLE)
    assert captcha_of(settings) is captcha_of(load_settings(**WHOLE))
    assert settings.captcha_origin == "https://widget.test:8443"
    assert "not for the world" not in repr(settings)


@pytest.mark.parametrize("missing", WHOLE)
def test_half_a_captcha_is_refused(missing: str) -> None:
    with pytest.raises(SettingsError, match="all four"):
        load_settings(**{**WHOLE, missing: ""})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "captcha.test", "https://a@b.test/x", "//x"])
@pytest.mark.parametrize("name", ["captcha_verify_url", "captcha_script_url"])
def test_urls_are_those_of_the_web(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings(**{**WHOLE, name: url})
