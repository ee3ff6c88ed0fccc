"""A process that listens or sends: `python -m benchmarks.peers.process KIND URL WORK …`.

It exchanges lines with its parent process: it writes `ready`, waits for `go`, and ends with a line
of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from uuid import uuid4

from benchmarks.peers.carriers import Carrier, carrier

LOST_AFTER = 3.0
"""Seconds without a message after which a listener counts the rest as lost."""


def main() -> None:
    """Run the work that the command line names."""
    import django

    django.setup()
    kind, url, work, *numbers = sys.argv[1:]
    carries = carrier(kind, url)
    if work == "commit":
        _commit(carries, *map(float, numbers))
    elif work == "send":
        asyncio.run(_send(carries, *map(int, numbers)))
    else:
        asyncio.run(_listen(carries, *map(int, numbers)))


def say(what: object) -> None:
    """Write a line to the parent process."""
    print(json.dumps(what), flush=True)


def _commit(carries: Carrier, first: float, topics: float, count: float, every: float) -> None:
    """Write rows, each in a transaction that sends to one of the topics when it commits."""
    from django.db import transaction

    from demo_todo.models import TodoList
    from invalidation import quiet

    row = TodoList.objects.order_by("pk").values_list("pk", flat=True)[0]
    say("ready")
    sys.stdin.readline()
    due = time.monotonic()
    with quiet(reset=False):
        for number in range(int(count)):
            with transaction.atomic():
                TodoList.objects.filter(pk=row).update(name=f"{number}")
                carries.commit(int(first + number % topics), f"{time.monotonic()!r} {uuid4().hex}")
            due += every
            time.sleep(max(0.0, due - time.monotonic()))
    say("done")


async def _send(carries: Carrier, first: int, topics: int, count: int, rate: int = 0) -> None:
    """Send to topics in turns: as fast as possible, or `rate` messages a second."""
    await carries.send_all([first], "warm")
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    began, used = time.monotonic(), time.process_time()
    step = 1 if rate else 100
    for start in range(0, count, step):
        targets = [first + number % topics for number in range(start, min(start + step, count))]
        await carries.send_all(targets, f"{time.monotonic()!r} {uuid4().hex}")
        if rate:
            await asyncio.sleep(max(0.0, began + (start + step) / rate - time.monotonic()))
    took = time.monotonic() - began
    say({"seconds": took, "cpu": time.process_time() - used})


async def _listen(carries: Carrier, first: int, topics: int, count: int) -> None:
    """Listen to topics; report the delivery time of each message, in milliseconds."""
    await carries.listen(range(first, first + topics))
    say("ready")
    ways: list[float] = []
    with suppress(TimeoutError):
        while len(ways) < count:
            async with asyncio.timeout(LOST_AFTER if ways else None):
                stamps = await carries.receive()
            now = time.monotonic()
            ways += [(now - float(each.split()[0])) * 1000 for each in stamps if each != "warm"]
    say({"ways": ways, "at": time.monotonic(), "cpu": time.process_time()})
    await carries.close()


if __name__ == "__main__":
    main()
