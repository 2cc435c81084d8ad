"""Owns the run behind `tollbridge demo`: real processes, real calls, money checked to the last cent.

It starts the pretend vendor here and the gateway as a child, as anybody would start it, and speaks
to the gateway over HTTP alone. It must not import what it demonstrates.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2

from tollbridge.core.money import format_usd
from tollbridge.demo import call
from tollbridge.demo.call import CallFailed, Receipt, Sample
from tollbridge.demo.child import ChildFailed, Gateway, choose_port, run_command
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.demo.scene import EMAIL, MODEL, MODELS, Scene, prepare
from tollbridge.demo.show import Show, wants_colour

_READY_S = 60
_CALL_S = 60
_TEXT_SHOWN = 100
DIRECTORY = Path("var/demo")
PORT = 8080


async def run_demo(
    once: bool, directory: Path = DIRECTORY, port: int = PORT, show: Show | None = None
) -> int:
    """Make a call through each surface, show answers and prices, then serve until Ctrl-C.

    Returns the exit code: 0, or 1 when a call failed or the money does not add up to the last
    nano-dollar. `once` returns after the calls. `port` is a wish: a taken one is replaced.
    """
    show = show or Show(sys.stdout, colour=wants_colour(sys.stdout, os.environ))
    try:
        async with AsyncExitStack() as stack:
            scene, gateway = await _set_up(stack, directory, port, show)
            right = await _walk(gateway.url, scene.secret, show, call.samples())
            if not once and right:
                _invite(show, gateway.url, scene)
                await _serve(gateway, show)
            return 0 if right else 1
    except (ChildFailed, CallFailed, httpx2.HTTPError, OSError) as error:
        show.bad(str(error) or type(error).__name__)
        return 1


async def _set_up(
    stack: AsyncExitStack, directory: Path, port: int, show: Show
) -> tuple[Scene, Gateway]:
    show.step("starting a pretend vendor")
    vendor = FakeUpstream()
    stack.push_async_callback(vendor.stop)
    scene = prepare(directory, await vendor.start())
    show.step(f"applying {scene.file}")
    await run_command("apply", str(scene.file), "--database", scene.database)
    chosen = choose_port(port)
    if chosen != port:
        show.step(f"port {port} is taken, using {chosen}")
    show.step("starting the gateway")
    gateway = await Gateway.start(scene.database, chosen, scene.log)
    stack.push_async_callback(gateway.stop)
    await gateway.wait_ready(_READY_S)
    return scene, gateway


async def _walk(url: str, secret: str, show: Show, samples: Sequence[Sample]) -> bool:
    """Make all calls and check that the wallet dropped by exactly the sum of the receipts."""
    async with _client(url) as client:
        before = await call.balance(client, secret)
        charged = 0
        right = True
        for sample in samples:
            receipt = await _one(client, sample, secret, show)
            charged += receipt.charge
            right = right and receipt.charge > 0
        after = await call.balance(client, secret)
    show.heading("Wallet")
    show.fact("before", f"${format_usd(before)}")
    show.fact("receipts", f"${format_usd(charged)}")
    show.fact("after", f"${format_usd(after)}")
    if before - after != charged:
        show.bad(f"the wallet dropped by ${format_usd(before - after)}")
        return False
    if not right:
        show.bad("a call was free")
        return False
    show.good("before - receipts = after, to the last nano-dollar")
    return True


async def _one(client: httpx2.AsyncClient, sample: Sample, secret: str, show: Show) -> Receipt:
    """Make one call and show it; CallFailed when its reply and its receipt tell two costs."""
    outcome = await call.make(client, sample, secret)
    receipt = await call.receipt(client, outcome.tid, secret)
    show.heading(f"{sample.title}  POST {sample.path}")
    show.fact("answer", _short(outcome.text))
    show.fact("trace id", outcome.tid)
    if outcome.events > 1:
        show.fact("events", str(outcome.events))
    for line in receipt.lines:
        show.fact("", line)
    show.fact("charge", f"${format_usd(receipt.charge)}")
    if outcome.cost is not None and outcome.cost != receipt.charge:
        raise CallFailed(f"the reply says ${format_usd(outcome.cost)}, its receipt differs")
    return receipt


async def _serve(gateway: Gateway, show: Show) -> None:
    """Wait for Ctrl-C; ChildFailed when the gateway ends by itself."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stopped.set)
    ended = asyncio.ensure_future(gateway.wait_end())
    asked = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise ChildFailed("the gateway ended by itself")
    finally:
        for task in (ended, asked):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for number in numbers:
            loop.remove_signal_handler(number)
    show.step("stopping")


def _invite(show: Show, url: str, scene: Scene) -> None:
    show.heading("It is yours now")
    show.fact("OpenAI", f"{url}/v1")
    show.fact("Anthropic", url)
    show.fact("Gemini", url)
    show.fact("key", scene.secret)
    show.fact("models", ", ".join(MODELS))
    show.fact("config", str(scene.file))
    show.plain("")
    show.plain(f"  curl {url}/v1/chat/completions \\")
    show.plain(f"    -H 'Authorization: Bearer {scene.secret}' \\")
    show.plain("    -H 'Content-Type: application/json' \\")
    content = '"messages": [{"role": "user", "content": "Hello"}]'
    show.plain(f"""    -d '{{"model": "{MODEL}", {content}}}'""")
    show.plain("")
    show.fact("console", f"{url}/sign-in")
    show.fact("e-mail", EMAIL)
    show.fact("password", scene.password)
    show.plain("")
    show.plain("Ctrl-C stops everything.")


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=_CALL_S, trust_env=False) as client:
        yield client


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN] + " ..."
