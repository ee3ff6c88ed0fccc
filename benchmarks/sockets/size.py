"""Sizes of a run: that of the documentation, and a small one that shows that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The numbers of a run. Rates are messages a second, lengths are seconds."""

    runs: int = 3

    sockets: int = 500
    burst: int = 400
    burst_of_layers: int = 50
    """The burst for the layers of channels_redis, which need as long for it as ours for `burst`."""

    paced_rate: float = 5
    paced_seconds: float = 20
    """Makes a hundred messages: with fewer the p99 would depend on a single message."""
    topics: int = 1_000
    topics_rate: float = 500
    topics_seconds: float = 2

    idle: int = 2_000

    stalled: int = 100
    stall_seconds: float = 60
    slow_rate: float = 20
    slow_rows: int = 50

    connects: int = 1_000
    storm: int = 5_000
    storm_topics: int = 500


FULL = Size()
SMALL = Size(
    runs=1,
    sockets=60,
    burst=40,
    burst_of_layers=20,
    paced_seconds=1,
    topics=60,
    topics_seconds=1,
    idle=100,
    stalled=12,
    stall_seconds=4,
    connects=60,
    storm=200,
    storm_topics=20,
)
