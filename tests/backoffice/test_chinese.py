"""What the configuration's readers refuse is said in the language of the page, all of it."""

import re
from html import unescape
from typing import Any

from tests.backoffice import test_accounts, test_channels, test_models
from tests.services.pages import House

_FAULT = re.compile(r'class="(?:fault|alert note)[^>]*>(?:<p>)?([^<]*)<')
_CHINESE = re.compile(r"[\u3400-\u9fff]")
# Two English words beside each other, but where they are the file's own: options, TOML, an example.
_ENGLISH = re.compile(r"(?<![\w\"'{=,] )\b[a-z]{2,} (?:[a-z]{2,})\b")
CHANNELS: list[tuple[str, Any]] = [
    ("name", ""), ("name", "a b"), ("surfaces", ["x"]), ("models", "a b"), ("models", "a*b"),
    ("models", "a\na"), ("multiplier", "0"), ("multiplier", "x"), ("multiplier", "101"),
    ("multiplier", "1.0000000001"), ("multiplier", "-1"), ("client_policy", "x"),
    ("groups", "a\na"), ("rpm", "-1"), ("mapping", "a*b = c"), ("mapping", "a = b*"),
    ("proxy", "ftp://x"), ("proxy", "http://10.0.0.1:3128"), ("proxy", "http://169.254.169.254"),
    ("proxy", "http://x/y"), ("peak_from", "25:00"), ("peak_to", ""), ("peak_to", "09:00"),
    ("peak_zone", "Mars/One"), ("peak_days", []), ("peak_factor", "0"), ("peak_factor", "1.0001"),
    ("peak_factor", ""), ("platform", "x"), ("surfaces", []),
]  # fmt: skip
ACCOUNTS: list[tuple[str, Any]] = [
    ("name", "a b"), ("base_url", ""), ("base_url", "https://api.example.com/v1"),
    ("base_url", "http://10.1.2.3"), ("base_url", "https://169.254.169.254"),
    ("base_url", "https://a:0"), ("base_url", "x"), ("secret", ""), ("secret", "é"),
    ("weight", "0"), ("cost", "-1"), ("headers", "Host: x"), ("headers", "x y: z"),
    ("headers", "x: é"), ("params", '{"model": 1}'), ("params", '{"é": 1}'),
    ("params_drop", "stream"), ("params_drop", "top_k"), ("rpm", "-2"),
]  # fmt: skip
MODELS: list[tuple[str, Any]] = [
    ("name", "/x"), ("context", ""), ("context", "0"), ("input", "x"), ("input", "9999999"),
    ("output", ""), ("efforts", "x"), ("from", "2001-01-01T00:00"), ("sizes", "a\na"),
    ("more", "tiers = [{}]"), ("more", 'tiers = [{above = 5, inptu = "1"}]'),
    ("more", 'tiers = [{above = 5, zzz = "1"}]'), ("more", 'image = [{size = "1"}]'),
    ("more", 'services = [{name = "Flex"}]'), ("more", 'services = [{name = "flex"}]'),
    ("more", 'services = [{name = "default"}]'), ("more", "tiers = 1"), ("more", "image = [1]"),
    ("more", 'tiers = [{above = 5, input = "1", output = "1"}]'),
]  # fmt: skip


async def told(house: House, who: int, path: str, form: dict[str, Any], language: str) -> list[str]:
    """Return the faults that a page tells."""
    async with house.browser(who) as browser:
        browser.headers["accept-language"] = language
        answer = await browser.post(path, data=form)
    assert answer.status_code == 422, form
    return [unescape(one) for one in _FAULT.findall(answer.text)]


async def test_faults_of_readers_are_chinese(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    await test_accounts.applied(house, test_accounts.CHANNEL)
    account = test_accounts.FORM | {"channel": await test_accounts.channel_id(house)}
    faults = []
    for path, form, faulty in (
        (test_channels.NEW, test_channels.FORM | {"name": "main"}, [*CHANNELS, ("name", "main")]),
        (test_accounts.NEW, account, ACCOUNTS),
        (test_models.NEW, test_models.FORM, MODELS),
    ):
        for field, value in faulty:
            sent = {**form, "name": "fresh", field: value}
            plain = await told(house, boss, path, sent, "en")
            spoken = await told(house, boss, path, sent, "zh-CN")
            assert len(plain) == len(spoken) > 0, (field, value)
            for here, there in zip(plain, spoken, strict=True):
                if here == there or not _CHINESE.search(there) or _ENGLISH.search(there):
                    faults.append(f"{field} {value!r}: {here} / {there}")
    assert not faults, "\n" + "\n".join(faults)
