"""Proof of admission: what is refused, with which words, and which channel an auto key gets."""

import asyncio
import contextlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import admitted, asked, channel, chat, key, model, price, snapshot
from tests.relay.visitor import Visitor
from tollbridge.catalog.prices import Rates
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.core.money import Multiplier
from tollbridge.identity.keys import KeyStore, digest_of
from tollbridge.relay import gate

RAW_TOO_DEEP = b'{"model":"gpt-test","messages":' + b"[" * 500 + b"]" * 500 + b"}"


class Keys:
    """A store of keys that knows some by heart and has to look for others."""

    def __init__(self, known, findable):
        self.by_heart = known
        self.findable = findable
        self.looked_up = []

    def cached(self, secret):
        return self.by_heart.get(secret, KeyStore.MISSING)

    def known(self, digest):
        found = {digest_of(secret): record for secret, record in self.by_heart.items()}
        return found.get(digest)

    async def find(self, secret):
        self.looked_up.append(secret)
        await asyncio.sleep(0)
        return self.findable.get(secret)


@pytest.fixture
def offers():
    return gate.Offers()


def refusal(call):
    with pytest.raises(ApiError) as caught:
        gate.Offers().choose(call)
    return caught.value


def read(body, path="/v1/chat/completions"):
    """Return the refusal of a body."""
    with pytest.raises(ApiError) as caught:
        gate.read_body(asked(body, path=path))
    return caught.value


def chosen(by, *channels, models=(), offers=None):
    call = asked(by=by, catalogue=snapshot(*channels, models=models))
    gate.read_body(call)
    (offers or gate.Offers()).choose(call)
    return call.channel.name


def refused(by, *channels, models=(), name="gpt-test"):
    call = asked(chat(model=name), by=by, catalogue=snapshot(*channels, models=models))
    gate.read_body(call)
    return refusal(call)


async def test_a_remembered_key_costs_no_look_up_and_another_is_looked_for():
    keys = Keys({b"known": key(id=1), b"wrong": None}, {b"new": key(id=2)})

    async def ask(secret):
        return await gate.authenticate(Visitor(secret=secret), keys)

    assert (await ask("known")).id == 1
    assert keys.looked_up == []
    assert (await ask("new")).id == 2
    for secret, kind in (
        ("wrong", Kind.KEY_INVALID),
        ("nobody's", Kind.KEY_INVALID),
        ("", Kind.KEY_MISSING),
    ):
        with pytest.raises(ApiError) as caught:
            await ask(secret)
        assert caught.value.kind is kind
    assert keys.looked_up == [b"new", b"nobody's"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"user_active": False}, Kind.USER_SUSPENDED),
        ({"enabled": False}, Kind.KEY_DISABLED),
        ({"expires_ms": 1_000}, Kind.KEY_EXPIRED),
        ({"ips": ("198.51.100.0/24",)}, Kind.IP_DENIED),
    ],
)
def test_a_key_that_must_not_be_used_is_refused(values, kind):
    with pytest.raises(ApiError) as caught:
        gate.check_key(key(**values), "192.0.2.7", 1_000)
    assert caught.value.kind is kind
    assert caught.value.facts["key_last6"] == "abc123"


def test_a_key_is_good_until_its_last_millisecond_and_from_its_own_network():
    gate.check_key(key(expires_ms=1_001, ips=("192.0.2.0/24",)), "192.0.2.7", 1_000)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "invalid_json", "no body"),
        (b"\xff\xfe", "invalid_json", "UTF-8"),
        (b'{"model":', "invalid_json", "not valid JSON"),
        (b"[1]", "invalid_json", "JSON object"),
        (RAW_TOO_DEEP, "invalid_json", "nested too deeply"),
        (b'{"model":"a","model":"b","messages":[]}', "duplicate_field", "twice"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(body, code, words):
    error = read(body)
    assert (error.kind, error.code) == (Kind.INVALID_REQUEST, code)
    assert words in error.message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "model"),
        ({"model": "", "messages": []}, "model"),
        ({"model": 7, "messages": []}, "model"),
        ({"model": "gpt-test"}, "messages"),
        ({"model": "gpt-test", "messages": "hello"}, "messages"),
        (chat(messages=[]), "messages"),
        (chat(stream="yes"), "stream"),
        (chat(max_tokens=0), "max_tokens"),
        (chat(max_completion_tokens=-1), "max_completion_tokens"),
        (chat(max_tokens=1.5), "max_tokens"),
        (chat(n=0), "n"),
        (chat(n=129), "n"),
        (chat(stream_options={"include_usage": 1}), "stream_options.include_usage"),
        (chat(modalities="text"), "modalities"),
    ],
)
def test_a_field_that_is_wrong_is_named(body, param):
    error = read(body)
    assert (error.kind, error.code, error.param) == (Kind.INVALID_REQUEST, "invalid_value", param)
    assert f"'{param}'" in error.message


def test_each_path_reads_its_own_fields():
    assert read({"model": "gpt-test", "prompt": 7}, "/v1/completions").param == "prompt"
    call = asked({"model": "gpt-test", "prompt": "hello"}, path="/v1/completions")
    gate.read_body(call)
    assert (call.ask.model, call.ask.limit) == ("gpt-test", 16)


@given(st.binary(max_size=60))
def test_no_body_whatever_gets_past_without_a_refusal_or_an_ask(body):
    call = asked(body)
    with contextlib.suppress(ApiError):
        gate.read_body(call)
        assert call.ask.model
        return
    error = read(body)
    assert error.kind is Kind.INVALID_REQUEST
    assert len(error.message) < 100


def test_the_key_that_is_bound_gets_its_channel_and_the_models_price():
    call = admitted(by=key(channel_id=2), catalogue=snapshot(channel(), channel(2, "other")))
    assert (call.channel.name, call.model.name, call.price.id) == ("other", "gpt-test", 7)


def test_a_bound_key_may_use_its_channel_whatever_group_the_channel_is_for():
    assert chosen(key(), channel(groups=frozenset({"vip"}))) == "main"


@pytest.mark.parametrize("bound_to", [1, 99])
def test_a_bound_keys_channel_that_is_off_or_gone_is_told(bound_to):
    error = refused(key(channel_id=bound_to), channel(enabled=False))
    assert error.kind is Kind.CHANNEL_DISABLED
    assert error.facts["key_last6"] == "abc123"


def test_an_auto_key_gets_the_cheapest_channel_that_serves_the_model():
    channels = (
        channel(1, "dear", multiplier=Multiplier(1, 3)),
        channel(2, "cheap", multiplier=Multiplier(1, 4)),
        channel(3, "cheaper but other", multiplier=Multiplier(1, 9), models=["gpt-other"]),
        channel(4, "cheaper but off", multiplier=Multiplier(1, 9), enabled=False),
        channel(5, "cheaper but mute", multiplier=Multiplier(1, 9),
                surfaces=frozenset({Surface.MESSAGES})),
        channel(7, "cheaper but empty", multiplier=Multiplier(1, 9), accounts=()),
        channel(6, "cheaper but private", multiplier=Multiplier(1, 9), groups=frozenset({"vip"})),
    )  # fmt: skip
    auto = key(channel_id=None)
    assert chosen(auto, *channels) == "cheap"
    assert chosen(replace(auto, user_group="vip"), *channels) == "cheaper but private"
    assert chosen(auto, *channels, channel(8, "free", multiplier=Multiplier(0, 1))) == "free"


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), min_size=1, max_size=6))
def test_cheapest_is_exact_however_close_multipliers_are(ratios):
    channels = [
        channel(at, f"channel {at}", multiplier=Multiplier(num, den))
        for at, (num, den) in enumerate(ratios, start=1)
    ]
    got = next(
        one for one in channels if one.name == chosen(key(channel_id=None), *channels)
    ).multiplier
    assert all(got.num * one.multiplier.den <= one.multiplier.num * got.den for one in channels)


def test_a_choice_follows_the_snapshot_and_the_key_of_each_call(offers):
    auto = key(channel_id=None)
    one, other = channel(1, "one"), channel(2, "other", multiplier=Multiplier(1, 2))
    assert chosen(auto, one, offers=offers) == "one"
    assert chosen(auto, one, other, offers=offers) == "other"
    assert chosen(key(), one, other, offers=offers) == "one"
    assert chosen(key(channel_id=2), one, other, offers=offers) == "other"
    assert chosen(key(), channel(1, "renamed"), offers=offers) == "renamed"
    assert chosen(auto, one, offers=offers) == "one"


def test_within_one_snapshot_no_key_gets_what_was_chosen_for_another(offers):
    catalogue = snapshot(
        channel(1, "one"),
        channel(2, "vip", groups=frozenset({"vip"}), multiplier=Multiplier(1, 2)),
    )

    def chosen_for(**values):
        call = asked(by=key(**values), catalogue=catalogue)
        gate.read_body(call)
        offers.choose(call)
        return call.channel.name

    for _ in range(2):
        assert chosen_for(channel_id=None) == "one"
        assert chosen_for(channel_id=None, user_group="vip") == "vip"
        assert chosen_for(channel_id=2) == "vip"
        assert chosen_for(channel_id=1, user_group="vip") == "one"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, 1, 2, 3]),
            st.sampled_from(["a", "b-1", "b-2", "c"]),
            st.sampled_from(["default", "vip"]),
            st.integers(0, 1),
        ),
        max_size=12,
    )
)
def test_what_is_remembered_never_changes_what_is_chosen(asks):  # fmt: skip
    models = (model("a"), model("b-*"), model("c", price=None))
    catalogues = [
        snapshot(
            channel(1, "one", models=["a", "c"]),
            channel(2, "two", models=["b-*", "a"], multiplier=Multiplier(1, 2)),
            channel(3, "three", models=["a"], groups=frozenset({"vip"}), enabled=enabled,
                    multiplier=Multiplier(1, 3)),
            models=models,
        )
        for enabled in (True, False)
    ]  # fmt: skip
    remembering = gate.Offers()

    def outcome(offers, ask):
        bound_to, name, group, which = ask
        by = key(channel_id=bound_to, user_group=group)
        call = asked(chat(model=name), by=by, catalogue=catalogues[which])
        gate.read_body(call)
        try:
            offers.choose(call)
        except ApiError as error:
            return error.kind, dict(error.facts)
        return call.channel, call.model, call.price

    for ask in asks:
        assert outcome(remembering, ask) == outcome(gate.Offers(), ask)


def test_a_model_outside_the_keys_own_list_is_refused():
    error = refused(key(models=frozenset({"gpt-other"})), channel())
    assert error.kind is Kind.MODEL_NOT_ALLOWED
    assert error.facts == {"model": "gpt-test", "key_last6": "abc123"}
    assert chosen(key(models=frozenset({"gpt-test"})), channel()) == "main"


@pytest.mark.parametrize(
    ("names", "nearest"), [("*", "gpt-test"), ("gpt-*", "gpt-test"), ("o-*", "")]
)
def test_under_a_wildcard_all_models_that_it_serves_are_near(names, nearest):
    error = refused(key(), channel(models=[names]), name="gpt-tset")
    assert error.facts["nearest"] == nearest


def test_an_unknown_model_is_refused_with_the_nearest_names_that_the_key_can_see():
    catalogue = (
        channel(models=["gpt-test", "gpt-tent", "claude"]),
        channel(2, "hidden", models=["gpt-tesT"], groups=frozenset({"vip"})),
    )
    models = tuple(model(name) for name in ("gpt-test", "gpt-tent", "claude", "gpt-tesT"))
    error = refused(key(channel_id=None), *catalogue, name="gpt-tset", models=models)
    assert error.kind is Kind.MODEL_UNKNOWN
    assert set(error.facts["nearest"].split(", ")) == {"gpt-test", "gpt-tent"}
    assert "fixed_channel" not in error.facts
    assert refused(key(channel_id=None), *catalogue, name="zzz").facts["nearest"] == ""


def test_a_bound_key_hears_that_its_channel_is_the_reason():
    error = refused(key(), channel(), channel(2, "other", models=["gpt-else"]), name="gpt-else")
    assert error.kind is Kind.MODEL_UNKNOWN
    assert error.facts["fixed_channel"] == "yes"


@pytest.mark.parametrize("asked_for", ["ghost", "gost", "fre"])
def test_a_model_that_nobody_described_or_priced_is_unknown_and_suggested_to_nobody(asked_for):
    models = (model(), model("free", price=None))
    listing = channel(models=["ghost", "free"])
    error = refused(key(), listing, name=asked_for, models=models)
    assert error.kind is Kind.MODEL_UNKNOWN
    assert error.facts["nearest"] == ""


def test_an_auto_key_whose_group_sees_no_channel_finds_no_model():
    error = refused(key(channel_id=None), channel(groups=frozenset({"vip"})))
    assert error.kind is Kind.MODEL_UNKNOWN


def test_a_channel_that_does_not_speak_the_surface_is_refused():
    error = refused(key(), channel(surfaces=frozenset({Surface.MESSAGES})))
    assert error.kind is Kind.SURFACE_NOT_ALLOWED
    assert error.facts["model"] == "gpt-test"


NOTHING = Rates.filled({"input": 0, "output": 0})


@pytest.mark.parametrize("without", [None, price(rates=NOTHING)])
def test_a_model_without_a_price_is_refused_and_never_free(without):
    error = refused(key(), channel(), models=(model(price=without),))
    assert error.kind is Kind.MODEL_UNPRICED


def test_a_model_by_wildcard_is_sold_under_the_name_that_was_asked():
    call = admitted(
        chat(model="gpt-test-2026"),
        catalogue=snapshot(
            channel(models=["gpt-*"]), models=(model("gpt-*"), model("gpt-test-*", max_output=5))
        ),
    )
    assert (call.model.name, call.ask.model) == ("gpt-test-*", "gpt-test-2026")


@pytest.mark.parametrize("name", ["gpt-" + "x" * 200, "gpt-\n", "gpt-\x00"])
def test_under_a_wildcard_not_every_text_is_a_name(name):
    call = asked(
        chat(model=name),
        catalogue=snapshot(channel(models=["gpt-*"]), models=(model("gpt-*"),)),
    )
    gate.read_body(call)
    assert refusal(call).kind is Kind.MODEL_UNKNOWN


def test_an_output_limit_above_the_models_is_refused_and_its_own_is_not():
    assert admitted(chat(max_completion_tokens=1_000)).ask.limit == 1_000
    call = asked(chat(max_completion_tokens=1_001))
    gate.read_body(call)
    error = refusal(call)
    assert (error.kind, error.code) == (Kind.INVALID_REQUEST, "max_tokens_too_large")
    assert "1000" in error.message


def test_no_refusal_repeats_what_the_client_wrote():
    canary = "CANARY-of-a-prompt"
    body = chat(messages=[{"role": "user", "content": canary}], n=canary, stream=canary)
    for raw in (msgspec.json.encode(body), msgspec.json.encode(body)[:-1]):
        error = read(raw)
        assert canary not in f"{error.message}{error.facts}{error}"
