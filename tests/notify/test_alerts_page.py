"""Proof that docs/alerts.md is true: its sample checks real posts, and every kind is in its table."""

import re
from pathlib import Path

from tests.services.hooks import hook_server
from tollbridge.notify.kinds import Kind
from tollbridge.notify.webhook import Webhook
from tollbridge.storage.alerts import State

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()


async def test_the_sample_tells_genuine_posts_from_others():
    (sample,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(sample, names)
    is_genuine = names["is_genuine"]
    async with hook_server() as server:
        await Webhook(server.url, "of the site").post("alert.opened", "m-1", b'{"a":1}')
    (post,) = server.posts
    assert is_genuine("of the site", post.headers, post.body)
    assert not is_genuine("of another", post.headers, post.body)
    assert not is_genuine("of the site", post.headers, b'{"a":2}')
    later = str(int(post.headers["x-tollbridge-timestamp"]) + 1)
    assert not is_genuine(
        "of the site", post.headers | {"x-tollbridge-timestamp": later}, post.body
    )
    old = post.headers | {"x-tollbridge-timestamp": "1700000000"}
    assert not is_genuine("of the site", old, post.body)


def test_every_kind_and_event_is_documented():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == list(Kind)
    assert all(f"`alert.{state}`" in PAGE for state in State)
