"""Owns a sliced stream in tests: a call that holds a first slice, its pump, its client, its end."""

import asyncio
import json
from typing import Any

from tests.relay.calls import WALLET, admitted, channel, chat, price, snapshot, visitor_of
from tests.relay.calls import model as a_model
from tests.relay.paper import no_budgets, paper_ledger
from tests.relay.upstreamed import EVENT_STREAM, LONG, Handle, Pace
from tollbridge.catalog.prices import Rates
from tollbridge.core.metrics import Metrics
from tollbridge.core.money import Multiplier
from tollbridge.core.settings import Settings
from tollbridge.protocols.answer import Identity
from tollbridge.relay.outlet import Outlet
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve
from tollbridge.relay.settlement import Settlement
from tollbridge.relay.slices import cover
from tollbridge.relay.stream import StreamPump
from tollbridge.storage.ledger_items import SettleResult


class SlicedScene:
    """A stream whose hold is a first slice of `slice_tokens`; gate 1 is open from the start."""

    def __init__(
        self,
        *,
        money: int = 10**12,
        slice_tokens: int = 100,
        rates: dict[str, int] | None = None,
        multiplier: Multiplier | None = None,
        max_output: int = 40_000,
        **body: Any,
    ) -> None:
        self.ledger, self.writer = paper_ledger(**{f"w{WALLET}": money})
        given = price() if rates is None else price(rates=Rates.filled(rates))
        models = (a_model(max_output=max_output, price=given),)
        main = channel() if multiplier is None else channel(multiplier=multiplier)
        self.call = admitted(chat(stream=True, **body), catalogue=snapshot(main, models=models))
        self.client = visitor_of(self.call)
        self.handle = Handle()
        self.settings = Settings(slice_tokens=slice_tokens, hold_floor_tokens=50)

    async def __aenter__(self) -> "SlicedScene":
        loop = asyncio.get_running_loop()
        await Reserve(self.ledger, self.settings, Purses(no_budgets())).hold(self.call)
        self.outlet = Outlet(self.call, loop, LONG)
        tap = self.call.dialect.tap(
            self.call.ask, self.call.channel.accounts[0], Identity("other", 7, "other")
        )
        points = cover(self.call, self.ledger, self.settings, lambda: None)
        self.pump = StreamPump(tap, self.outlet, points, Pace(), drains=False)
        self.pump.call = self.handle
        self.client.watcher = self.pump
        self.pump.head(200, EVENT_STREAM)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pump.stop()
        self.outlet.close()
        self.ledger.stop()

    def feed(self, *pieces: bytes) -> None:
        """Let more arrive, unless the connection was closed."""
        for piece in pieces:
            if not self.handle.aborted:
                self.pump.data(piece)

    async def answered(self) -> None:
        """Let answers of the books arrive."""
        for _ in range(8):
            await asyncio.sleep(0)

    @property
    def shown(self) -> int:
        """The bytes of text that the client has."""
        size = 0
        for event in self.client.frames():
            if event != b"[DONE]":
                for choice in json.loads(event)["choices"]:
                    size += len((choice["delta"].get("content") or "").encode())
        return size

    @property
    def held(self) -> int:
        """The hold as the books have it."""
        return self.writer.holds[self.call.tid].amount

    async def settled(self) -> SettleResult:
        """End the call in the books as the pipeline does."""
        settlement, tap = Settlement(self.ledger, Metrics()), self.pump.tap
        if self.pump.complete:
            settle = settlement.complete(self.call, tap.usage, tap.text_bytes, tap.model)
        else:
            settle = settlement.limited(self.call, tap.usage, self.pump.text_bytes, tap.model)
        self.writer.write()
        assert settle.future is not None
        result: SettleResult = await settle.future
        return result
