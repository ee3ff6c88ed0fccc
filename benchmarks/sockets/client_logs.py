"""Evaluate the logs of many clients after a measurement."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from benchmarks.sockets.load import Client
from benchmarks.sockets.messages import STAMP


def summary(clients: Collection[Client]) -> dict[str, Any]:
    """Return the number of deliveries, their rate and their delivery times.

    A delivery is the first receipt of a row change by a client. The rate's time runs from the
    sending of the first message to the last delivery.
    """
    ways: list[float] = []
    frames = resets = 0
    first, last = float("inf"), 0.0
    for client in clients:
        known: set[bytes] = set()
        frames += len(client.log)
        for at, payload in client.log:
            resets += b'"reset":' in payload
            for number, sent in STAMP.findall(payload):
                if number not in known:
                    known.add(number)
                    ways.append((at - int(sent)) / 1e6)
                    first, last = min(first, int(sent)), max(last, at)
    ways.sort()
    return {
        "deliveries": len(ways),
        "frames": frames,
        "resets": resets,
        "seconds": (last - first) / 1e9 if ways else 0.0,
        "p50": _at(ways, 0.50),
        "p99": _at(ways, 0.99),
    }


def caught_up(clients: Iterable[Client], last: int) -> dict[str, int]:
    """Count the clients that received all messages up to `last`: by rows, by a reset, or not.

    A topic's messages keep their order. So a client is silently stale if numbers are missing
    without a reset between them, or if the last message is missing.
    """
    counts = {"all": 0, "reset": 0, "stale": 0}
    for client in clients:
        counts[_state(client, last)] += 1
    return counts


def _state(client: Client, last: int) -> str:
    due, excused, resets = 0, False, 0
    for _, payload in client.log:
        numbers = sorted({int(number) for number, _ in STAMP.findall(payload)})
        if b'"reset":' in payload:
            excused = True
            resets += 1
        for number in numbers:
            if number > due and not excused:
                return "stale"
            due, excused = max(due, number + 1), False
    if due <= last:
        return "stale"
    return "reset" if resets else "all"


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
