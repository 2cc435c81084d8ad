"""The twin of web/assets.py: static files, whole, by an address that changes with their content."""

import gzip
from hashlib import sha256

import pytest

from tests.services.pages import House
from tollbridge.web.assets import STATIC, asset_url, find_asset

NAMES = sorted(
    path.relative_to(STATIC).as_posix()
    for path in STATIC.rglob("*")
    if path.suffix in (".css", ".js", ".svg")
)


def test_there_are_files_to_speak_of():
    assert {"app.css", "app.js", "icon.svg", "vendor/htmx.js", "vendor/basecoat.css"} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
async def test_every_file_is_served_as_it_is(house: House, name: str):
    content = (STATIC / name).read_bytes()
    address = asset_url(name)
    assert address == f"/static/{sha256(content).hexdigest()[:12]}/{name}"
    async with house.browser() as browser:
        plain = await browser.get(address, headers={"accept-encoding": "identity"})
        packed = await browser.get(address, headers={"accept-encoding": "br, gzip"})
        head = await browser.head(address)
    assert plain.content == packed.content == content
    assert (plain.status_code, packed.headers["content-encoding"]) == (200, "gzip")
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(find_asset(name).packed) == content
    assert head.status_code == 200 and head.content == b""
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert plain.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])


async def test_only_the_address_of_this_content_is_kept_for_ever(house: House):
    async with house.browser() as browser:
        kept = await browser.get(asset_url("app.css"))
        old = await browser.get("/static/0123456789ab/app.css")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert old.status_code == 200 and old.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [*("none.css", "../gateway.py", "..%2fgateway.py", "vendor/htmx.LICENSE", "vendor", "", "/etc/passwd"),
    *("./app.css", "vendor/../app.css", "app.css/", "APP.CSS", "app.css%00.js", "x" * 5_000)],
)  # fmt: skip
async def test_nothing_else_is_served(house: House, name: str):
    assert find_asset(name) is None
    with pytest.raises(LookupError):
        asset_url(name)
    async with house.browser() as browser:
        answer = await browser.get(f"/static/0123456789ab/{name}")
    # The client itself resolves dots; then it is another address.
    assert answer.status_code == 404 or answer.content == (STATIC / "app.css").read_bytes()


async def test_a_file_is_looked_at_and_nothing_else(house: House):
    async with house.browser() as browser:
        assert (await browser.post(asset_url("app.css"), data={})).status_code == 405
