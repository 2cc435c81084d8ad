"""Owns a floor on which media is sold, for tests: a channel that may make images, models by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.relay.calls import account, channel, model, price, snapshot
from tests.relay.floor import Floor, open_floor
from tollbridge.catalog.prices import ImagePrice, Rates
from tollbridge.catalog.snapshot import Model, Snapshot
from tollbridge.demo.fake_reply import recording

SPEAK = {"model": "tts", "voice": "alloy", "input": "hello"}
DRAW = {"model": "draw", "prompt": "a bridge"}

_FREE = Rates.filled({})


def models() -> tuple[Model, ...]:
    """Return a voice sold by the character, a painter by the image, vectors by the token."""
    square = ImagePrice("1024x1024", "*", 40)
    return (
        model("tts", id=1, price=price(character=2, rates=_FREE), text_max=300),
        model(
            "draw",
            id=2,
            price=price(images=(square,), rates=_FREE),
            sizes=("1024x1024",),
            n_max=2,
            prompt_max=20,
        ),
        model("embed", id=3),
        model("hear", id=4, price=price(second=3, rates=_FREE)),
    )


def media_catalogue(floor: Floor | None, *, accounts: int = 1, **values: Any) -> Snapshot:
    """Return a catalogue with these models; `values` go to the channel, the account or the site."""
    many = values.pop("models", None) or models()
    site = {name: values.pop(name) for name in ("error_profile",) if name in values}
    capabilities = values.pop("capabilities", frozenset({"images"}))
    platform = values.pop("platform", "openai")
    staff = floor.accounts(accounts, platform=platform) if floor else (account(),)
    main = channel(accounts=staff, models=["*"], capabilities=capabilities, **values)
    return snapshot(main, models=many, **site)


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Floor]:
    """Yield a floor with that catalogue."""
    async with open_floor(**settings) as floor:
        floor.world.snapshot = media_catalogue(floor)
        yield floor


def record(floor: Floor, name: str, body: bytes, kind: str) -> None:
    """Let the vendor answer so to whoever asks for a replay of this name."""
    floor.vendor.books.recordings[name] = recording(200, {"content-type": kind}, [body])
