"""The twin of web/lazy.py: the pages are made once, when somebody looks, beside the loop."""

import asyncio
import threading

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from tollbridge.web.lazy import SEGMENTS, LazyApp


def browser(app) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://site.test")


async def test_the_pages_are_made_once_and_not_before():
    loaded, built = [], []

    def make():
        built.append(threading.current_thread())
        return PlainTextResponse("a page")

    def load():
        loaded.append(threading.current_thread())
        return make

    site = LazyApp(load)
    assert loaded == []
    async with browser(site) as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
    assert {answer.text for answer in answers} == {"a page"}
    assert len(loaded) == 1 and loaded[0] is not threading.main_thread()
    assert built == [threading.main_thread()]


async def test_a_site_that_could_not_be_made_is_tried_again():
    tries = []

    def build():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no file handles")
        return lambda: PlainTextResponse("a page")

    async with browser(LazyApp(build)) as client:
        with pytest.raises(OSError, match="no file handles"):
            await client.get("/")
        assert (await client.get("/")).text == "a page"


def test_the_relay_and_the_api_keep_their_paths():
    assert not SEGMENTS & {"v1", "api", "v1beta", "healthz", "metrics"}
