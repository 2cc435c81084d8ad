"""Proof of what all media endpoints have in common: bodies as they are, usage as far as it is told."""

import msgspec
import pytest

from tests.relay.calls import account, model, price
from tests.relay.test_media_dialects import FORM, form
from tests.relay.visitor import Visitor
from tollbridge.catalog.prices import ImagePrice
from tollbridge.core.errors import ApiError
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.usage import ImageCount, Usage
from tollbridge.relay.dialects import Task
from tollbridge.relay.media import must_be_sold_so
from tollbridge.relay.media_dialects import MEDIA

DRAWS, HEARS = MEDIA["/v1/images/generations"], MEDIA["/v1/audio/transcriptions"]
SPEAKS = MEDIA["/v1/audio/speech"]
ONE = b'{"data":[{"url":"u"}],"model":"theirs"'


def task(dialect, body, *, sent="", headers=None, sold=None):
    source, ask = dialect.read(Visitor(body, headers=headers))
    name = sent or ask.model
    identity = Identity("t", 0, ask.model, name != ask.model)
    return Task(source, ask, None, identity, name, sold or model(name), None)


def made(dialect, *values, **options):
    return dialect.errand(task(dialect, *values, **options), account())


def test_bytes_and_their_type_stay_as_they_are():
    body = b'{ "model":"a",  "prompt":"b" }'
    errand = made(DRAWS, body)
    assert (errand.body, errand.path) == (body, b"/v1/images/generations")
    assert (errand.content_type, errand.native) == (b"application/json", True)
    body = form(file=b"x", model="a")
    errand = made(HEARS, body, headers=FORM)
    assert errand.body is body
    assert errand.content_type == FORM[b"content-type"]


def test_another_name_is_spliced_in_and_back():
    errand = made(DRAWS, b'{ "model":"a",  "prompt":"b" }', sent="theirs")
    assert errand.body == b'{ "model":"theirs",  "prompt":"b" }'
    facts, answer = errand.read(ONE + b"}", b"application/json; charset=utf-8")
    assert facts.model == "theirs"
    assert msgspec.json.decode(answer)["model"] == "a"
    errand = made(HEARS, form(file=b"x", model="a"), headers=FORM, sent="theirs")
    assert errand.body == form(file=b"x", model="theirs")
    # Plain text may look like anything.
    assert errand.read(ONE, b"text/plain")[1] == ONE


def test_a_name_that_would_end_its_part_is_refused():
    with pytest.raises(FieldError) as info:
        made(HEARS, form(file=b"x", model="a"), headers=FORM, sent="a--b b")
    assert info.value.name == "model"


IMAGE = (ImageCount("auto", "auto", 1),)
EACH = price(images=(ImagePrice("*", "*", 40),))


@pytest.mark.parametrize(
    ("sold", "usage", "told"),
    [
        # Only tokens are sold, and none are told.
        (price(), b"", None),
        (price(), b',"usage":{"input_tokens":3,"output_tokens":4}', Usage(input=3, image_output=4)),
        # The image itself is sold.
        (EACH, b"", Usage()),
    ],
)
def test_usage_that_tells_nothing_of_what_is_sold_is_none(sold, usage, told):
    errand = made(DRAWS, {"model": "a", "prompt": "b"}, sold=model(price=sold))
    found = errand.read(ONE + usage + b"}", b"application/json")[0].usage
    assert found == (None if told is None else msgspec.structs.replace(told, images=IMAGE))


def test_what_is_sold_and_not_told_is_filled_in_for_the_charge():
    source, ask = DRAWS.read(Visitor({"model": "a", "prompt": "b"}))
    used = DRAWS.settled(ask, Usage(images=IMAGE), EACH)
    assert used == DRAWS.estimate(ask, 99, 99)
    assert used.image_output == 1_056
    assert DRAWS.settled(ask, Usage(input=1, images=IMAGE), EACH) == Usage(input=1, images=IMAGE)
    assert not DRAWS.visible(source, ask)
    assert DRAWS.framing() is None


def test_figures_without_a_price_are_settlements_matter():
    errand = made(SPEAKS, {"model": "a", "input": "b"}, sold=model(price=price(images=())))
    assert errand.read(b"sound", b"audio/mpeg")[0].usage is None
    huge = model(price=price(character=2**62))
    errand = made(SPEAKS, {"model": "a", "input": "bbb"}, sold=huge)
    assert errand.read(b"sound", b"audio/mpeg")[0].usage == Usage(character=3)


@pytest.mark.parametrize("sold", ["a", "a*", "*"])
def test_names_that_are_sold(sold):
    must_be_sold_so("a", model(sold))


def test_a_name_that_is_not_sold_as_it_is():
    with pytest.raises(ApiError):
        must_be_sold_so("a-high", model("a"))
