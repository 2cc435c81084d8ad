"""Proof that a snapshot is what the file asked for, at one version, without what is switched off."""

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import CHANNEL, ENVIRON, MODEL, SITE
from tollbridge.catalog.channel_rows import match_channels
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.groups import match_groups
from tollbridge.catalog.loader import change_version, load_snapshot
from tollbridge.catalog.model_rows import match_models
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.site_rows import match_site
from tollbridge.catalog.snapshot import Site, Snapshot
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import Profile, Surface
from tollbridge.core.money import Multiplier
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage.tables import accounts, channels, models
from tollbridge.storage.unit_of_work import reading, writing


async def loaded(engine: AsyncEngine, secrets: Secrets, text: str = CHANNEL) -> Snapshot:
    plan = parse_file(SITE + MODEL + text, ENVIRON)
    async with writing(engine) as connection:
        await match_site(connection, plan.site)
        await match_models(connection, plan.models, at_ms=1, prune=False)
        await match_channels(connection, secrets, plan.channels, at_ms=1, prune=False)
    return await load_snapshot(engine, secrets)


async def test_an_empty_database_is_an_empty_catalogue(engine: AsyncEngine, secrets: Secrets):
    view = await load_snapshot(engine, secrets)
    assert (view.version, view.site, dict(view.channels), dict(view.models)) == (1, Site(), {}, {})


async def test_a_snapshot_is_what_the_file_asked_for(engine: AsyncEngine, secrets: Secrets):
    view = await loaded(engine, secrets)
    async with reading(engine) as connection:
        assert view.version == await change_version(connection) == 2
    assert view.site == Site(Profile.LEGACY, ("10.0.0.0/8", "192.0.2.1/32"), True)
    main = view.channels_by_name["main"]
    assert main.surfaces == {Surface.CHAT, Surface.RESPONSES}
    assert (main.models, main.wildcards) == ({"gpt-5.4"}, ("o9-",))
    assert (main.multiplier, main.groups) == (Multiplier(3, 20), {"default", "vip"})
    second, first = main.accounts
    assert (first.name, first.secret, first.priority, first.stops_on_abort) == (
        *("primary", "upstream-key", 1, False),
    )
    assert (first.proxy, second.proxy) == (
        "http://me:hush@127.0.0.1:3128",
        "socks5://192.0.2.7:1080",
    )
    assert second.stops_on_abort
    assert (main.rpm, main.tpm, main.concurrency) == (600, 2_000_000, 64)
    assert (first.rpm, first.tpm, first.concurrency) == (60, 100_000, 4)
    assert (second.rpm, second.tpm, second.concurrency) == (0, 0, 0)
    model = view.models["gpt-5.4"]
    assert (model.n_max, model.sizes, model.max_output) == (4, ("1024x1024",), 128_000)
    assert model.price is not None
    assert model.price.rates.output == 10_000_000_000


async def test_every_surface_is_spelled_out(engine: AsyncEngine, secrets: Secrets):
    view = await loaded(engine, secrets, CHANNEL.replace('["chat", "responses"]', '["*"]'))
    assert view.channels_by_name["main"].surfaces == set(Surface)


@pytest.mark.parametrize("marked", [False, True])
async def test_a_channel_for_users_of_telegram_is_known_as_one(
    engine: AsyncEngine, secrets: Secrets, marked: bool
):
    text = CHANNEL.replace("rpm = 600", "requires_telegram = true", 1) if marked else CHANNEL
    view = await loaded(engine, secrets, text)
    assert view.channels_by_name["main"].requires_telegram is marked


async def test_what_is_switched_off_cannot_be_reached(engine: AsyncEngine, secrets: Secrets):
    await loaded(engine, secrets)
    async with writing(engine) as connection:
        await connection.execute(update(channels).values(enabled=False))
        await connection.execute(update(models).values(enabled=False))
        off = accounts.c.name == "primary"
        await connection.execute(update(accounts).where(off).values(enabled=False))
        await connection.execute(update(accounts).where(~off).values(secret=""))
    view = await load_snapshot(engine, secrets)
    main = view.channels_by_name["main"]
    assert (main.enabled, main.accounts, dict(view.models)) == (False, (), {})


async def test_without_the_right_key_file_nothing_is_loaded(engine: AsyncEngine, secrets: Secrets):
    await loaded(engine, secrets)
    with pytest.raises(SecretsError):
        await load_snapshot(engine, Secrets(b"q" * 32, {"k2": b"x" * 32}, "k2"))


async def test_an_accounts_names_come_before_its_channels(engine: AsyncEngine, secrets: Secrets):
    text = CHANNEL.replace("rpm = 600", 'rpm = 600\nmapping = {"a" = "up-a", "b*" = "up-b"}')
    text = text.replace("weight = 10", 'weight = 10\nmapping = {"*" = "own", "b" = "b"}')
    second, first = (await loaded(engine, secrets, text)).channels_by_name["main"].accounts
    names = ("a", "b", "bc", "c")
    assert [first.sent(name) for name in names] == ["own", "b", "own", "own"]
    assert [second.sent(name) for name in names] == ["up-a", "up-b", "up-b", "c"]


async def test_what_an_account_changes_of_its_calls(engine: AsyncEngine, secrets: Secrets):
    rules = 'headers = {X-A = "1"}\nparams = {top_k = 40, a = [{b = 0.5}]}\nparams_drop = ["seed"]'
    text = CHANNEL.replace("weight = 10", f"weight = 10\n{rules}")
    second, first = (await loaded(engine, secrets, text)).channels_by_name["main"].accounts
    assert (first.headers, first.params_drop) == ({"x-a": "1"}, ("seed",))
    assert first.params == {"top_k": b"40", "a": b'[{"b":0.5}]'}
    assert not (second.headers or second.params or second.params_drop)


SERVED = MODEL.replace("n_max = 4", 'n_max = 4\nservices = [{name = "flex", input = "1", '
                       'cache_read = "0.1", output = "4"}]')  # fmt: skip
NEXT = '[[model.price]]\nfrom = {}\ninput = "1"\noutput = "2"\n'


async def test_the_price_of_now_is_loaded_and_when_the_next_one_begins(
    engine: AsyncEngine, secrets: Secrets
):
    text = SITE + MODEL + NEXT.format("2001-01-01T00:00:00Z") + NEXT.format("2999-01-01T00:00:00Z")
    plan = parse_file(text, ENVIRON)
    async with writing(engine) as connection:
        await match_models(connection, plan.models, at_ms=1, prune=False)
    view = await load_snapshot(engine, secrets)
    price = view.models["gpt-5.4"].price
    assert price is not None
    # The first has begun long ago; what it replaced is not in force any more.
    assert (price.rates.input, price.tiers) == (1_000_000_000, ())
    assert view.due_ms == 32_472_144_000_000
    async with writing(engine) as connection:
        again = parse_file(SITE + MODEL, ENVIRON).models
        await match_models(connection, again, at_ms=now_ms(), prune=False)
    view = await load_snapshot(engine, secrets)
    price = view.models["gpt-5.4"].price
    assert price is not None
    assert (price.rates.input, view.due_ms) == (2_500_000_000, None)


async def test_a_model_whose_first_price_is_to_come_has_none(engine: AsyncEngine, secrets: Secrets):
    bare = '[[model]]\nname = "m"\ncontext = 10\nmax_output = 5\n'
    plan = parse_file(bare + NEXT.format("2999-01-01T00:00:00Z"), ENVIRON)
    async with writing(engine) as connection:
        await match_models(connection, plan.models, at_ms=1, prune=False)
    view = await load_snapshot(engine, secrets)
    assert (view.models["m"].price, view.due_ms) == (None, 32_472_144_000_000)


async def test_services_peak_hours_and_groups_arrive(engine: AsyncEngine, secrets: Secrets):
    peak = 'peak = {from = "22:00", to = "06:30", zone = "Asia/Kolkata", factor = "1.5"}'
    group = '[[group]]\nname = "vip"\nfactor = "0.9"\n'
    plan = parse_file(
        SITE + SERVED + CHANNEL.replace("rpm = 600", f"rpm = 600\n{peak}") + group, ENVIRON
    )
    async with writing(engine) as connection:
        await match_models(connection, plan.models, at_ms=1, prune=False)
        await match_channels(connection, secrets, plan.channels, at_ms=1, prune=False)
        await match_groups(connection, plan.groups, prune=False)
    view = await load_snapshot(engine, secrets)
    always = frozenset(range(7))
    expected = Peak(1_320, 390, always, "Asia/Kolkata", Multiplier(3, 2))
    assert view.channels_by_name["main"].peak == expected
    assert dict(view.groups) == {"vip": Multiplier(9, 10)}
    price = view.models["gpt-5.4"].price
    assert price is not None
    assert (price.served("flex").rates.input, price.rates.input) == (10**9, 2_500_000_000)
    assert price.served("flex").images == price.images


async def test_damaged_peak_hours_are_no_catalogue(engine: AsyncEngine, secrets: Secrets):
    await loaded(engine, secrets)
    async with writing(engine) as connection:
        await connection.execute(update(channels).values(peak='{"zone":"No/Where"}'))
    with pytest.raises(ValueError, match="no such time zone"):
        await load_snapshot(engine, secrets)
