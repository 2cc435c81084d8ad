"""Owns the calls whose price was worked out by hand: the sum stands above each.

Prices are those of priced_models.toml, in dollars a million tokens or apiece; M is a million.
"""

from typing import NamedTuple

from tollbridge.protocols.usage import ImageCount, Usage


class Case(NamedTuple):
    """A call and what it is charged, in dollars, under the factors of channel, group and hour."""

    model: str
    usage: Usage
    dollars: str
    channel: str = "1.0"
    group: str | None = None
    peak: str | None = None


def used(**counts: int) -> Usage:
    """Return a usage of these counts."""
    return Usage(**counts)


def tier(name: str, **counts: int) -> Usage:
    """Return a usage whose answer names a service tier."""
    return Usage(tier=name, **counts)


def images(*made: tuple[str, str, int]) -> Usage:
    """Return a usage of images by size, quality and count."""
    return Usage(images=tuple(ImageCount(*one) for one in made))


BUCKETS = [
    # 1,000 in x $2.50/M
    Case("plain", used(input=1_000), "0.0025"),
    # 1,000 out x $10/M
    Case("plain", used(output=1_000), "0.01"),
    # 1,000 x $2.50/M = 0.0025; 500 x $10/M = 0.005
    Case("plain", used(input=1_000, output=500), "0.0075"),
    # a million of each: 2.50 + 10
    Case("plain", used(input=1_000_000, output=1_000_000), "12.50"),
    # one token in: 2.50 / 1,000,000
    Case("plain", used(input=1), "0.0000025"),
    # one token out: 10 / 1,000,000
    Case("plain", used(output=1), "0.00001"),
    # 10,000 read from the cache x $0.30/M
    Case("cached", used(cache_read=10_000), "0.003"),
    # 10,000 written for 5 minutes x $3.75/M
    Case("cached", used(cache_write_5m=10_000), "0.0375"),
    # 10,000 written for an hour x $6/M
    Case("cached", used(cache_write_1h=10_000), "0.06"),
    # 200 x 3 = 600; 1,800 x 0.30 = 540; 100 x 15 = 1,500: 2,640 / M
    Case("cached", used(input=200, cache_read=1_800, output=100), "0.00264"),
    # 100 x 3 = 300; 400 x 3.75 = 1,500; 300 x 6 = 1,800; 20 x 15 = 300: 3,900 / M
    Case(
        "cached",
        used(input=100, cache_write_5m=400, cache_write_1h=300, output=20),
        "0.0039",
    ),
    # 1 of each: 3 + 0.30 + 3.75 + 6 + 15 = 28.05 / M
    Case(
        "cached",
        used(input=1, cache_read=1, cache_write_5m=1, cache_write_1h=1, output=1),
        "0.00002805",
    ),
    # 600 of sound in x $40/M
    Case("audio", used(audio_input=600), "0.024"),
    # 250 of sound out x $80/M
    Case("audio", used(audio_output=250), "0.02"),
    # 100 x 5 = 500; 300 x 40 = 12,000; 50 x 20 = 1,000; 400 x 80 = 32,000: 45,500 / M
    Case("audio", used(input=100, audio_input=300, output=50, audio_output=400), "0.0455"),
    # 1,000 cached x 2.50 = 2,500; 10 of sound x 40 = 400: 2,900 / M
    Case("audio", used(cache_read=1_000, audio_input=10), "0.0029"),
    # 1,500 of a picture in x $10/M
    Case("pictures", used(image_input=1_500), "0.015"),
    # 4,160 of a picture out x $40/M
    Case("pictures", used(image_output=4_160), "0.1664"),
    # 50 x 5 = 250; 1,000 x 10 = 10,000; 2,000 x 40 = 80,000; 20 x 30 = 600: 90,850 / M
    Case("pictures", used(input=50, image_input=1_000, image_output=2_000, output=20), "0.09085"),
    # sound is not priced by this model: 100 in cost what text in does, 100 x 2.50 = 250 / M
    Case("plain", used(audio_input=100), "0.00025"),
    # sound out costs what text out does: 100 x 10 = 1,000 / M
    Case("plain", used(audio_output=100), "0.001"),
    # pictures likewise: 100 x 2.50 + 100 x 10 = 1,250 / M
    Case("plain", used(image_input=100, image_output=100), "0.00125"),
    # cached tokens without a price of their own: 400 x 2.50 = 1,000 / M
    Case("plain", used(cache_read=400), "0.001"),
    # written ones too: 200 x 2.50 + 200 x 2.50 = 1,000 / M
    Case("plain", used(cache_write_5m=200, cache_write_1h=200), "0.001"),
    # an embedding of 8,000 at $0.10/M
    Case("thirds", used(input=8_000), "0.0008"),
]

NOTHING = [
    # nothing used, nothing charged
    Case("plain", used(), "0"),
    Case("cached", used(), "0", channel="3.0"),
    Case("painter", images(("1024x1024", "high", 0)), "0"),
    # reasoning is inside of output: 1,000 x $10/M, however much of it was thought
    Case("plain", used(output=1_000, reasoning=900), "0.01"),
    Case("plain", used(output=1_000, reasoning=1_000), "0.01"),
    # figures that were corrected are charged as corrected: 10 x 2.50 + 10 x 10 = 125 / M
    Case("plain", Usage(input=10, output=10, clamped=True), "0.000125"),
    # more cached than there was input, corrected to all of it: 500 x 0.30 = 150 / M
    Case("cached", Usage(cache_read=500, clamped=True), "0.00015"),
    # a free channel
    Case("plain", used(input=1_000, output=1_000), "0", channel="0"),
]

CONTEXT = [
    # below: 199,999 x 1.25 = 249,998.75 / M
    Case("tiered", used(input=199_999), "0.24999875"),
    # at the threshold still the base: 200,000 x 1.25 = 250,000 / M
    Case("tiered", used(input=200_000), "0.25"),
    # one above, and all of it is dearer: 200,001 x 2.50 = 500,002.50 / M
    Case("tiered", used(input=200_001), "0.5000025"),
    # cached tokens count for the threshold: 1 x 2.50 + 200,000 x 0.25 = 50,002.50 / M
    Case("tiered", used(input=1, cache_read=200_000), "0.0500025"),
    # all of them at the threshold: 100,000 x 1.25 + 100,000 x 0.125 = 137,500 / M
    Case("tiered", used(input=100_000, cache_read=100_000), "0.1375"),
    # output is dearer above: 300,000 x 2.50 = 750,000; 1,000 x 15 = 15,000: 765,000 / M
    Case("tiered", used(input=300_000, output=1_000), "0.765"),
    # output does not count for the threshold: 100 x 1.25 = 125; 300,000 x 10 = 3,000,000 / M
    Case("tiered", used(input=100, output=300_000), "3.000125"),
    # first stair, at its edge: 1,000 x 1 + 10 x 2 = 1,020 / M
    Case("stairs", used(input=1_000, output=10), "0.00102"),
    # second stair: 1,001 x 3 + 10 x 6 = 3,063 / M
    Case("stairs", used(input=1_001, output=10), "0.003063"),
    # second stair, at its edge: 10,000 x 3 = 30,000 / M
    Case("stairs", used(input=10_000), "0.03"),
    # third stair: 10,001 x 5 + 10 x 9 = 50,095 / M
    Case("stairs", used(input=10_001, output=10), "0.050095"),
    # sound in counts too, priced as input: 1,001 x 3 = 3,003 / M
    Case("stairs", used(audio_input=1_001), "0.003003"),
    # and so do cache writes: 600 x 3 + 401 x 3 = 3,003 / M
    Case("stairs", used(cache_write_5m=600, cache_write_1h=401), "0.003003"),
]

SERVICES = [
    # no tier named: 1,000 x 2 + 100 x 8 = 2,800 / M
    Case("served", used(input=1_000, output=100), "0.0028"),
    # flex: 1,000 x 1 + 100 x 4 = 1,400 / M
    Case("served", tier("flex", input=1_000, output=100), "0.0014"),
    # priority: 1,000 x 3.50 + 100 x 14 = 4,900 / M
    Case("served", tier("priority", input=1_000, output=100), "0.0049"),
    # batch: 1,000 x 1 + 100 x 4 = 1,400 / M
    Case("served", tier("batch", input=1_000, output=100), "0.0014"),
    # a tier that has no prices of its own costs the usual: 2,800 / M
    Case("served", tier("scale", input=1_000, output=100), "0.0028"),
    # cached in flex: 4,000 x 0.25 = 1,000 / M
    Case("served", tier("flex", cache_read=4_000), "0.001"),
    # cached in priority: 4,000 x 0.875 = 3,500 / M
    Case("served", tier("priority", cache_read=4_000), "0.0035"),
    # a long context, no tier: 100,001 x 4 = 400,004 / M
    Case("served", used(input=100_001), "0.400004"),
    # the same in flex, which has a long context of its own: 100,001 x 2 = 200,002 / M
    Case("served", tier("flex", input=100_001), "0.200002"),
    # flex at the threshold: 100,000 x 1 = 100,000 / M
    Case("served", tier("flex", input=100_000), "0.10"),
    # priority has no long context: 100,001 x 3.50 = 350,003.50 / M
    Case("served", tier("priority", input=100_001), "0.3500035"),
    # what is counted apiece costs the same in each tier: 2 x 0.01 + 1,000 x 1 / M = 0.02 + 0.001
    Case("served", tier("flex", input=1_000, web_search=2), "0.021"),
    # flex on a channel of 0.5: 1,400 x 0.5 = 700 / M
    Case("served", tier("flex", input=1_000, output=100), "0.0007", channel="0.5"),
]

COUNTED = [
    # one call apiece: 0.003
    Case("calls", used(request=1), "0.003"),
    # a call and its tokens: 0.005 + (200 + 300) x 1 / M = 0.005 + 0.0005
    Case("answers", used(request=1, input=200, output=300), "0.0055"),
    # the request of a channel at 0.15: 0.003 x 0.15
    Case("calls", used(request=1), "0.00045", channel="0.15"),
    # three searches: 3 x 0.01
    Case("cached", used(web_search=3), "0.03"),
    # searches and tokens: 2 x 0.01 + 1,000 x 3 / M = 0.02 + 0.003
    Case("cached", used(web_search=2, input=1_000), "0.023"),
    # a search that the model does not price is not charged; 100 x 2.50 = 250 / M is
    Case("plain", used(web_search=5, input=100), "0.00025"),
    # 60 seconds heard x 0.0001
    Case("hearing", used(second=60), "0.006"),
    # one second
    Case("hearing", used(second=1), "0.0001"),
    # a film of 8 seconds x 0.10, and 0.05 for making it
    Case("film", used(second=8, request=1), "0.85"),
    # 4,096 characters x 0.000015
    Case("speech", used(character=4_096), "0.06144"),
    # one character
    Case("speech", used(character=1), "0.000015"),
    # the row of size and quality: 1 x 0.167
    Case("painter", images(("1024x1024", "high", 1)), "0.167"),
    # 3 x 0.011
    Case("painter", images(("1024x1024", "low", 3)), "0.033"),
    # 2 x 0.25
    Case("painter", images(("1536x1024", "high", 2)), "0.50"),
    # any other size of low quality: 4 x 0.016
    Case("painter", images(("512x512", "low", 4)), "0.064"),
    # any other quality of that size: 1 x 0.042
    Case("painter", images(("1024x1024", "medium", 1)), "0.042"),
    # neither size nor quality has a row: the dearest, 1 x 0.25
    Case("painter", images(("512x512", "ultra", 1)), "0.25"),
    # two sorts: 1 x 0.011 + 2 x 0.167 = 0.011 + 0.334
    Case("painter", images(("1024x1024", "low", 1), ("1024x1024", "high", 2)), "0.345"),
    # a price for any image: 5 x 0.04
    Case("etcher", images(("1024x1792", "hd", 5)), "0.20"),
    # images of a model that is priced by tokens cost their tokens: 1,000 x 40 = 40,000 / M
    Case(
        "pictures",
        Usage(image_output=1_000, images=(ImageCount("1024x1024", "high", 1),)),
        "0.04",
    ),
]

FACTORS = [
    # 0.0075 x 0.15
    Case("plain", used(input=1_000, output=500), "0.001125", channel="0.15"),
    # 0.0075 x 0.5
    Case("plain", used(input=1_000, output=500), "0.00375", channel="0.5"),
    # 0.0075 x 1.2
    Case("plain", used(input=1_000, output=500), "0.009", channel="1.2"),
    # 0.0075 x 3
    Case("plain", used(input=1_000, output=500), "0.0225", channel="3.0"),
    # a group at 0.9: 0.0075 x 0.9
    Case("plain", used(input=1_000, output=500), "0.00675", group="0.9"),
    # a group that pays more: 0.0075 x 1.25
    Case("plain", used(input=1_000, output=500), "0.009375", group="1.25"),
    # peak hours: 0.0075 x 1.5
    Case("plain", used(input=1_000, output=500), "0.01125", peak="1.5"),
    # hours that are cheaper: 0.0075 x 0.5
    Case("plain", used(input=1_000, output=500), "0.00375", peak="0.5"),
    # channel and group: 0.0075 x 0.15 x 0.9 = 0.001125 x 0.9
    Case("plain", used(input=1_000, output=500), "0.0010125", channel="0.15", group="0.9"),
    # channel and peak: 0.0075 x 0.2 x 2 = 0.0015 x 2
    Case("plain", used(input=1_000, output=500), "0.003", channel="0.2", peak="2.0"),
    # all three: 0.0075 x 0.4 = 0.003; x 0.9 = 0.0027; x 1.5 = 0.00405
    Case("plain", used(input=1_000, output=500), "0.00405", channel="0.4", group="0.9", peak="1.5"),
    # factors that undo each other: 0.5 x 0.8 x 2.5 = 1, so 0.0075
    Case("plain", used(input=1_000, output=500), "0.0075", channel="0.5", group="0.8", peak="2.5"),
    # what is counted passes through them too: 0.03 x 0.5 x 0.9 = 0.0135
    Case("cached", used(web_search=3), "0.0135", channel="0.5", group="0.9"),
    # and images: 0.167 x 0.5 x 2 = 0.167
    Case("painter", images(("1024x1024", "high", 1)), "0.167", channel="0.5", peak="2.0"),
    # a tier in peak hours for a group: 0.0049 x 1.5 = 0.00735; x 0.8 = 0.00588
    Case("served", tier("priority", input=1_000, output=100), "0.00588", group="0.8", peak="1.5"),
    # three decimals each: 0.0025 x 0.001 = 0.0000025; x 0.999 = 0.0000024975; x 1.001 =
    # 0.0000024999975, which is 2,499.9975 nano-dollars: 2,500
    Case("plain", used(input=1_000), "0.0000025", channel="0.001", group="0.999", peak="1.001"),
]

ROUNDING = [
    # a millionth of a nano-dollar is a nano-dollar
    Case("thin", used(input=1), "0.000000001"),
    # a million of them make exactly one
    Case("thin", used(input=1_000_000), "0.000000001"),
    # one more makes two
    Case("thin", used(input=1_000_001), "0.000000002"),
    # buckets are summed before anything is rounded: 1 + 3 + 7 = 11 millionths, one nano-dollar
    Case("thin", used(input=1, cache_read=1, output=1), "0.000000001"),
    # 100,000 x (1 + 3) + 85,714 x 7 = 400,000 + 599,998 = 999,998 millionths: one
    Case("thin", used(input=100_000, cache_read=100_000, output=85_714), "0.000000001"),
    # 100,000 x (1 + 3) + 85,715 x 7 = 400,000 + 600,005 = 1,000,005 millionths: two
    Case("thin", used(input=100_000, cache_read=100_000, output=85_715), "0.000000002"),
    # 1 x 2.50/M = 2,500 nano-dollars; x 0.333 = 832.5: 833
    Case("plain", used(input=1), "0.000000833", channel="0.333"),
    # 3 x 0.10/M = 300 nano-dollars; x 0.111 = 33.3: 34
    Case("thirds", used(input=3), "0.000000034", channel="0.111"),
    # the same for a group at 0.5: 33.3 x 0.5 = 16.65: 17
    Case("thirds", used(input=3), "0.000000017", channel="0.111", group="0.5"),
    # 7 x 0.10/M + 1 x 0.40/M = 700 + 400 = 1,100; x 0.001 = 1.1: 2
    Case("thirds", used(input=7, output=1), "0.000000002", channel="0.001"),
    # 10 x 0.10/M = 1,000; x 0.001 = 1 exactly
    Case("thirds", used(input=10), "0.000000001", channel="0.001"),
    # 123,457 x 2.50 = 308,642.50 and 7,891 x 10 = 78,910: 387,552.50 / M = 0.3875525;
    # x 0.15 = 0.058132875
    Case("plain", used(input=123_457, output=7_891), "0.058132875", channel="0.15"),
    # a hundred million: 100,000,000 x 2.50/M + 100,000,000 x 10/M = 250 + 1,000
    Case("plain", used(input=100_000_000, output=100_000_000), "1250.00"),
]

BY_HAND = (
    *BUCKETS,
    *NOTHING,
    *CONTEXT,
    *SERVICES,
    *COUNTED,
    *FACTORS,
    *ROUNDING,
)
"""All cases whose amount is literal."""
