"""Owns the added latency: calls one at a time, through the gateway and straight, interleaved."""

from dataclasses import dataclass

from bench.lanes import Lane
from bench.rounds import Loader, Side, Tally, one_round, percentile_us

TARGET_P50_US = 1_000.0
TARGET_P99_US = 3_000.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies in µs of both ways, and fdatasync's on the same disk in the same run."""

    direct_p50: float
    direct_p99: float
    gateway_p50: float
    gateway_p99: float
    fdatasync_p50: float
    fdatasync_p99: float

    @property
    def added_p50(self) -> float:
        """What the gateway adds at the median, the durable settle included."""
        return self.gateway_p50 - self.direct_p50

    @property
    def added_p99(self) -> float:
        """What the gateway adds at the 99th percentile."""
        return self.gateway_p99 - self.direct_p99


def measure(
    lane: Lane,
    direct: Side,
    gateway: Side,
    loader: Loader,
    tally: Tally,
    *,
    rounds: int,
    quick: bool,
) -> tuple[list[int], list[int]]:
    """Return the latencies in ns of all calls, straight and through the gateway."""
    found: dict[str, list[int]] = {direct.name: [], gateway.name: []}
    for number in range(rounds + 1):
        for side in (direct, gateway):
            sample = one_round(lane, side, loader, tally, lane.requests(quick=quick))
            if number:
                found[side.name].extend(sample.result.latencies)
    return found[direct.name], found[gateway.name]


def latency(direct: list[int], gateway: list[int], syncs: list[int]) -> Latency:
    """Reduce three lists of ns to their 50th and 99th percentiles."""
    values = (percentile_us(ns, percent) for ns in (direct, gateway, syncs) for percent in (50, 99))
    return Latency(*values)
