"""The process that listens, as a hub does: `python -m benchmarks.pubsub_listener BACKEND`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import Any

PACED, EVERY = 400, 0.02
"""Messages whose delivery is timed, and seconds between them."""

MANY = 3_000
"""Messages sent one after the other without a pause."""

IDLE = 10.0
"""Seconds of idling."""

TRANSACTIONS = 400
"""Transactions of each kind, in turns."""


def main() -> None:
    """Measure one backend; print the figures as JSON."""
    import django

    django.setup()
    backend, *task = sys.argv[1:]
    if task:
        count, every = task
        _send_all(backend, int(count), float(every))
        return
    sys.stdout.write(json.dumps(asyncio.run(_listen(backend)) | _cost_of_a_message(backend)))


async def _listen(backend: str) -> dict[str, float]:
    from benchmarks.report import percentile
    from realtime.messages.topics import Topic

    upstream = _pubsub(backend).connect()
    await upstream.watch([Topic("bench:1")])
    try:
        used = time.process_time()
        await asyncio.sleep(IDLE)
        idle = (time.process_time() - used) / IDLE
        took = await _receive(upstream, backend, PACED, EVERY)
        began = time.monotonic()
        spans = await _receive(upstream, backend, MANY, 0.0)
        rate = MANY / (time.monotonic() - began - spans[0])
    finally:
        await upstream.close()
    milliseconds = [each * 1000 for each in took[1:]]
    return {
        "p50": percentile(milliseconds, 50),
        "p99": percentile(milliseconds, 99),
        "rate": rate,
        "idle": idle,
    }


async def _receive(upstream: Any, backend: str, count: int, every: float) -> list[float]:
    """Start a sender; return its start-up time, and each message's delivery time."""
    asked = time.monotonic()
    took: list[float] = []
    with _sending(backend, count, every):
        while len(took) <= count:
            for message in await upstream.receive():
                now = time.monotonic()
                # The time of its transaction's commit, by a clock that all processes share.
                (sent,) = message.changes["bench.row"]
                took += [now - float(sent)] if took else [float(sent) - asked, now - float(sent)]
    return took


@contextmanager
def _sending(backend: str, count: int, every: float) -> Any:
    if backend == "memory":
        thread = threading.Thread(target=_send_all, args=(backend, count, every))
        thread.start()
        yield
        thread.join()
        return
    command = [sys.executable, "-m", "benchmarks.pubsub_listener", backend, str(count), str(every)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL):
        yield


def _send_all(backend: str, count: int, every: float) -> None:
    pubsub = _pubsub(backend)
    due = time.monotonic()
    for _ in range(count):
        _send(pubsub)
        due += every
        time.sleep(max(0.0, due - time.monotonic()) if every else 0)


def _send(pubsub: Any) -> None:
    """Send one message that holds the time right before its commit."""
    from django.db import transaction

    from realtime.messages.message import Message
    from realtime.messages.topics import Topic

    with transaction.atomic():
        at = repr(time.monotonic())
        committed = pubsub.prepare(
            [Message(Topic("bench:1"), {"bench.row": {at: "updated"}})], "default"
        )
    committed()


def _cost_of_a_message(backend: str) -> dict[str, float]:
    """Return the medians of a transaction that writes a row, with and without a message."""
    import statistics

    from django.db import transaction

    from demo_todo.models import TodoList
    from invalidation import quiet
    from realtime.messages.message import Message
    from realtime.messages.topics import Topic

    pubsub = _pubsub(backend)
    message = Message(Topic("bench:1"), {"bench.row": {"1": "updated"}})
    row = TodoList.objects.order_by("pk").values_list("pk", flat=True)[0]
    spans: dict[bool, list[float]] = {True: [], False: []}
    with quiet(reset=False):
        for number in range(2 * TRANSACTIONS):
            told = bool(number % 2)
            began = time.perf_counter()
            with transaction.atomic():
                TodoList.objects.filter(pk=row).update(name=f"{number}")
                committed = pubsub.prepare([message], "default") if told else None
            if committed:
                committed()
            spans[told].append(time.perf_counter() - began)
    with_message, plain = (statistics.median(spans[told]) * 1000 for told in (True, False))
    return {"transaction": with_message, "plain": plain}


def _pubsub(backend: str) -> Any:
    from realtime.backends.database import DatabasePubSub
    from realtime.backends.memory import MemoryPubSub

    if backend == "redis":
        from realtime.backends.redis import RedisPubSub

        return RedisPubSub(os.environ["REDIS_URL"])
    return MemoryPubSub() if backend == "memory" else DatabasePubSub()


if __name__ == "__main__":
    main()
